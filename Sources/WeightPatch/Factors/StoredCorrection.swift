import Tensors

/// What leads from the rounded sum of exact apply to an exact value, where the two differ: steps over representable
/// numbers (Spec: corrections).
///
/// Elements are those of the tensor as stored, row-major. Only steps that are not zero are kept, each behind the number
/// of elements that it passes over, so that a correction costs what it changes.
public struct StoredCorrection: Sendable, Equatable {
  /// The type of the steps: `.i8`, `.i16` or `.i32`.
  public let dtype: DType
  /// The steps in the order of their elements, little-endian; none is zero.
  public let steps: [UInt8]
  /// A byte below 255 passes over that many elements and takes a step at the next one; 255 passes over 255 elements.
  public let gaps: [UInt8]
  /// The elements of the tensor.
  public let elementCount: Int
  private let marks: [Mark]

  /// Where the reading of the gaps can begin.
  private struct Mark: Equatable {
    /// The first element that the gaps from here on pass over or change.
    let element: Int
    let gap: Int
    let step: Int
  }

  static let dtypes: [DType] = [.i8, .i16, .i32]
  static let skip: UInt8 = 255
  private static let gapsPerMark = 4096

  /// Why bytes are no correction; continues a sentence that begins with the tensor.
  struct Problem: Error {
    let text: String
  }

  /// - Throws: `Problem` if the steps do not belong to the gaps, if a step is zero, or if the elements are not as many.
  init(dtype: DType, steps: [UInt8], gaps: [UInt8], elementCount: Int) throws(Problem) {
    precondition(Self.dtypes.contains(dtype), "not a type for steps")
    var check = CorrectionCheck(dtype: dtype)
    steps.withUnsafeBytes { check.takeSteps($0) }
    gaps.withUnsafeBytes { check.takeGaps($0) }
    if let problem = check.problem(elementCount: elementCount) { throw problem }
    var marks: [Mark] = []
    var (element, step) = (0, 0)
    for (index, gap) in gaps.enumerated() {
      if index % Self.gapsPerMark == 0 { marks.append(Mark(element: element, gap: index, step: step)) }
      element += Int(gap)
      if gap != Self.skip {
        element += 1
        step += 1
      }
    }
    self.dtype = dtype
    self.steps = steps
    self.gaps = gaps
    self.elementCount = elementCount
    self.marks = marks
  }

  /// The number of elements that it changes.
  public var count: Int { steps.count * 8 / dtype.bitsPerElement }

  @inline(__always)
  private func step(_ index: Int) -> Int64 {
    steps.withUnsafeBytes { bytes in
      switch dtype {
      case .i8: Int64(bytes.load(fromByteOffset: index, as: Int8.self))
      case .i16: Int64(bytes.loadUnaligned(fromByteOffset: 2 * index, as: Int16.self))
      default: Int64(bytes.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self))
      }
    }
  }

  /// Adds the steps of the elements `elements` to `sums`.
  ///
  /// - Parameter sums: one for each of these elements.
  func add(_ elements: Range<Int>, to sums: UnsafeMutablePointer<Int64>) {
    guard count > 0 else { return }
    // The last mark at or before the first element.
    var (low, high) = (0, marks.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if marks[middle].element <= elements.lowerBound { low = middle } else { high = middle }
    }
    var (element, step) = (marks[low].element, marks[low].step)
    gaps.withUnsafeBufferPointer { gaps in
      for index in marks[low].gap..<gaps.count {
        element += Int(gaps[index])
        if gaps[index] == Self.skip { continue }
        if element >= elements.upperBound { return }
        if element >= elements.lowerBound { sums[element - elements.lowerBound] += self.step(step) }
        element += 1
        step += 1
      }
    }
  }
}

extension StoredCorrection {
  /// Collects steps, element after element.
  public struct Builder {
    private var steps: [Int32] = []
    private var gaps: [UInt8] = []
    /// Elements since the last step.
    private var pending = 0
    private var elementCount = 0

    public init() {}

    /// Takes the step of the next element.
    public mutating func append(_ step: Int32) {
      elementCount += 1
      guard step != 0 else {
        pending += 1
        return
      }
      while pending >= Int(StoredCorrection.skip) {
        gaps.append(StoredCorrection.skip)
        pending -= Int(StoredCorrection.skip)
      }
      gaps.append(UInt8(pending))
      steps.append(step)
      pending = 0
    }

    /// The correction, in the narrowest type that holds every step.
    public func finish() -> StoredCorrection {
      let (lowest, highest) = (steps.min() ?? 0, steps.max() ?? 0)
      let dtype: DType
      let bytes: [UInt8]
      if lowest >= Int8.min, highest <= Int8.max {
        (dtype, bytes) = (.i8, steps.map { UInt8(bitPattern: Int8($0)) })
      } else if lowest >= Int16.min, highest <= Int16.max {
        (dtype, bytes) = (.i16, steps.map { Int16($0) }.withUnsafeBytes(Array.init))
      } else {
        (dtype, bytes) = (.i32, steps.withUnsafeBytes(Array.init))
      }
      return try! StoredCorrection(dtype: dtype, steps: bytes, gaps: gaps, elementCount: elementCount)
    }
  }
}
