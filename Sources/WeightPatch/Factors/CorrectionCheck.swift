import Tensors

/// Whether steps and gaps are a correction (Spec: corrections). Both come in pieces, each in its order; pieces begin
/// and end at elements.
struct CorrectionCheck {
  private let dtype: DType
  private var stepCount = 0
  private var hasZero = false
  /// What the gaps say: how many steps there are, and how many elements they reach.
  private var gapStepCount = 0
  private var reach = 0
  private var lastGap: UInt8?

  /// - Parameter dtype: of the steps.
  init(dtype: DType) { self.dtype = dtype }

  mutating func takeSteps(_ piece: UnsafeRawBufferPointer) {
    func check<Step: FixedWidthInteger & BitwiseCopyable>(_: Step.Type) -> Bool {
      stride(from: 0, to: piece.count, by: MemoryLayout<Step>.size).contains {
        piece.loadUnaligned(fromByteOffset: $0, as: Step.self) == 0
      }
    }
    stepCount += piece.count * 8 / dtype.bitsPerElement
    let isZero =
      switch dtype {
      case .i8: check(Int8.self)
      case .i16: check(Int16.self)
      default: check(Int32.self)
      }
    hasZero = hasZero || isZero
  }

  mutating func takeGaps(_ piece: UnsafeRawBufferPointer) {
    for gap in piece {
      reach += Int(gap)
      if gap != StoredCorrection.skip {
        reach += 1
        gapStepCount += 1
      }
    }
    lastGap = piece.last ?? lastGap
  }

  /// What is wrong, once everything was taken.
  ///
  /// - Parameter elementCount: the elements of the tensor.
  func problem(elementCount: Int) -> StoredCorrection.Problem? {
    if lastGap == StoredCorrection.skip { return .init(text: "has gaps that end without a step") }
    if gapStepCount != stepCount { return .init(text: "has another number of steps than its gaps") }
    if reach > elementCount { return .init(text: "has steps beyond the \(elementCount) elements") }
    if hasZero { return .init(text: "has a step of zero") }
    return nil
  }
}
