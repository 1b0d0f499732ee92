import CKernels
import WeightPatch

/// The elements of a chunk that do not have exactly one candidate, in order, though they are found one part of a row
/// after another, in the order in which the change is computed.
struct OpenElements: ~Copyable {
  private let format: StoredFormat
  private let elements: Range<Int>
  private let columns: Int
  /// Row after row, each with room for all its elements and the slack. Of a chunk's first row there may be a part only.
  private let places: UnsafeMutableBufferPointer<Int32>
  private let list: errata_open_elements_list
  private let placesPerRow: Int
  /// How many of a row's places are taken.
  private var counts: [Int]

  /// Some of them, in order.
  struct Run {
    /// The intervals of candidates: values in their order (see `StoredFormat.ordered`).
    let low: UnsafePointer<Int32>
    let high: UnsafePointer<Int32>
    /// The base values, if they were known, else the elements' places in the chunk.
    let marks: UnsafePointer<Int32>
    let count: Int

    subscript(range: Range<Int>) -> Run {
      Run(
        low: low + range.lowerBound, high: high + range.lowerBound, marks: marks + range.lowerBound,
        count: range.count)
    }
  }

  /// - Parameter columns: of the stored tensor, whose row-major indices `elements` are.
  init(_ elements: Range<Int>, columns: Int, format: StoredFormat) {
    self.format = format
    self.elements = elements
    self.columns = columns
    let rows = elements.isEmpty ? 0 : (elements.upperBound - 1) / columns - elements.lowerBound / columns + 1
    placesPerRow = min(columns, elements.count) + Int(errata_open_elements_slack)
    let count = rows * placesPerRow
    places = .allocate(capacity: 3 * count)
    let first = places.baseAddress
    list = errata_open_elements_list(low: first, high: first.map { $0 + count }, marks: first.map { $0 + 2 * count })
    counts = Array(repeating: 0, count: rows)
  }

  deinit { places.deallocate() }

  /// Looks at a run of elements of one row; those before it in its row were looked at.
  ///
  /// - Parameters:
  ///   - base, current: the stored values of the whole chunk, of which `current` comes from `base`.
  ///   - delta: the change of the run.
  mutating func find(
    _ run: Range<Int>, base: UnsafeRawPointer, current: UnsafeRawPointer, delta: UnsafePointer<Double>
  ) {
    let offset = (run.lowerBound - elements.lowerBound) * format.width
    find(run, (base + offset).assumingMemoryBound(to: UInt8.self), current + offset, delta, only: nil)
  }

  /// As above, where the base is not known: it takes the values of those elements that have just one candidate.
  mutating func find(
    _ run: Range<Int>, current: UnsafeRawPointer, delta: UnsafePointer<Double>, into base: UnsafeMutableRawPointer
  ) {
    let offset = (run.lowerBound - elements.lowerBound) * format.width
    find(run, nil, current + offset, delta, only: (base + offset).assumingMemoryBound(to: UInt8.self))
  }

  private mutating func find(
    _ run: Range<Int>, _ base: UnsafePointer<UInt8>?, _ current: UnsafeRawPointer, _ delta: UnsafePointer<Double>,
    only: UnsafeMutablePointer<UInt8>?
  ) {
    let row = run.lowerBound / columns - elements.lowerBound / columns
    let place = row * placesPerRow + counts[row]
    counts[row] += errata_open_elements(
      format.type, base, current.assumingMemoryBound(to: UInt8.self), delta, only,
      UInt32(run.lowerBound - elements.lowerBound),
      errata_open_elements_list(low: list.low + place, high: list.high + place, marks: list.marks + place), run.count)
  }

  /// Calls `body` with runs of at most `length` of the elements that were found, in order, until it returns false.
  borrowing func forEachRun(of length: Int, _ body: (Run) -> Bool) -> Bool {
    for (row, count) in counts.enumerated() {
      let place = row * placesPerRow
      let all = Run(low: list.low + place, high: list.high + place, marks: list.marks + place, count: count)
      for start in stride(from: 0, to: count, by: length) {
        guard body(all[start..<min(start + length, count)]) else { return false }
      }
    }
    return true
  }
}
