import LinearAlgebra
import Safetensors
import Tensors

/// A matrix of weights that stays as it is stored. Products take float32 panels of it, some rows at a time, made in a
/// buffer that stays in cache: that costs no more than to read weights of twice the size from memory, which no float32
/// copy then takes.
struct StoredWeight {
  enum Source: Sendable {
    case mapped(StoredTensor)
    /// Stands in for a tensor: its bytes, as a checkpoint would store them.
    case held([UInt8])

    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
      switch self {
      case .mapped(let tensor): body(tensor.bytes)
      case .held(let bytes): bytes.withUnsafeBytes(body)
      }
    }
  }

  /// Consecutive rows of one tensor.
  struct Part: Sendable {
    let source: Source
    let dtype: DType
    /// Rows of the tensor.
    let rows: Range<Int>
  }

  let rows: Int
  let columns: Int
  private let parts: [Part]
  /// The first row of each part, and the number of rows.
  private let starts: [Int]
  private let buffer: PanelBuffer

  /// - Parameter parts: stand one below the other, because one tall product is faster than three short ones.
  init(_ parts: [Part], columns: Int, buffer: PanelBuffer) {
    self.parts = parts
    self.columns = columns
    self.buffer = buffer
    starts = parts.reduce(into: [0]) { $0.append($0.last! + $1.rows.count) }
    rows = starts.last!
  }

  /// Calls `body` with ranges of rows, in order, and their elements in float32, row-major.
  func forEachPanel(_ body: (Range<Int>, UnsafePointer<Float>) -> Void) {
    let isWhole = parts.count == 1 && parts[0].dtype == .f32
    if isWhole, withFloats(of: parts[0], { body(0..<rows, $0) }) { return }
    let count = (rows + buffer.height(columns) - 1) / buffer.height(columns)
    let panels = (0..<count).map { rows * $0 / count..<rows * ($0 + 1) / count }
    buffer.withFloats((panels.map(\.count).max() ?? 0) * columns) { elements in
      for panel in panels {
        Profile.measure("weights to float32") { widen(panel, into: elements) }
        body(panel, elements)
      }
    }
  }

  /// Calls `body` with a part that is stored in float32, where it is.
  ///
  /// - Returns: whether it was called: a safetensors file promises no alignment.
  private func withFloats(of part: Part, _ body: (UnsafePointer<Float>) -> Void) -> Bool {
    part.source.withUnsafeBytes { bytes in
      let start = bytes.baseAddress! + part.rows.lowerBound * columns * 4
      guard Int(bitPattern: start) % 4 == 0 else { return false }
      body(start.assumingMemoryBound(to: Float.self))
      return true
    }
  }

  private func widen(_ panel: Range<Int>, into elements: UnsafeMutablePointer<Float>) {
    let (elements, parts, starts, columns) = (Shared(elements), parts, starts, columns)
    Threads.forRanges(panel.count, grain: max(1, (1 << 16) / columns)) { piece in
      let wanted = panel.lowerBound + piece.lowerBound..<panel.lowerBound + piece.upperBound
      for (part, start) in zip(parts, starts) {
        let found = wanted.clamped(to: start..<start + part.rows.count)
        if found.isEmpty { continue }
        let rowBytes = columns * part.dtype.bitsPerElement / 8
        let first = part.rows.lowerBound + found.lowerBound - start
        part.source.withUnsafeBytes { bytes in
          Tensors.widen(
            UnsafeRawBufferPointer(rebasing: bytes[first * rowBytes..<(first + found.count) * rowBytes]),
            dtype: part.dtype,
            into: UnsafeMutableBufferPointer(
              start: elements.pointer + (found.lowerBound - panel.lowerBound) * columns, count: found.count * columns))
        }
      }
    }
  }
}

/// Where the panels of a decoder's weights are made, one after the other.
final class PanelBuffer {
  private let capacity: Int
  private let leastRows: Int
  private var elements = Matrix<Float>(rows: 0, columns: 0)

  /// - Parameters:
  ///   - capacity: how many elements a panel has at most, unless that is fewer than `leastRows`. 8 MiB stay in most
  ///     processors' last cache.
  ///   - leastRows: short panels make slow products.
  init(capacity: Int = 1 << 21, leastRows: Int = 512) {
    self.capacity = capacity
    self.leastRows = leastRows
  }

  /// How many rows a panel has at most.
  func height(_ columns: Int) -> Int { max(leastRows, capacity / max(columns, 1)) }

  /// Calls `body` with room for `count` elements, which the next call overwrites.
  func withFloats(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) {
    if elements.count < count { elements = Matrix(uninitializedRows: 1, columns: count) }
    elements.withUnsafeMutablePointer(body)
  }
}
