import LinearAlgebra
import Safetensors
import Synchronization
import Tensors

/// A matrix of weights that stays as it is stored. Products take float32 panels of it, some rows at a time, made in
/// buffers that stay in cache: that costs no more than to read weights of twice the size from memory, which no float32
/// copy then takes.
struct StoredWeight: Sendable {
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
  private let buffers: PanelBuffers

  /// - Parameter parts: stand one below the other, because one tall product is faster than three short ones.
  init(_ parts: [Part], columns: Int, buffers: PanelBuffers) {
    self.parts = parts
    self.columns = columns
    self.buffers = buffers
    starts = parts.reduce(into: [0]) { $0.append($0.last! + $1.rows.count) }
    rows = starts.last!
  }

  /// Calls `body` with ranges of the rows `rows`, in order, the first of their elements at the columns `columns`, in
  /// float32, and the distance from row to row. By several threads at once, if they like.
  ///
  /// - Parameter productRows: how many rows each panel will be multiplied with.
  func forEachPanel(
    rows: Range<Int>, columns: Range<Int>, productRows: Int,
    _ body: (_ rows: Range<Int>, _ elements: UnsafePointer<Float>, _ stride: Int) -> Void
  ) {
    let isWhole = parts.count == 1 && parts[0].dtype == .f32
    if isWhole,
      withFloats(of: parts[0], { body(rows, $0 + rows.lowerBound * self.columns + columns.lowerBound, self.columns) })
    {
      return
    }
    let height = buffers.height(columns.count, productRows: productRows)
    let count = (rows.count + height - 1) / height
    let panels = (0..<count).map {
      rows.lowerBound + rows.count * $0 / count..<rows.lowerBound + rows.count * ($0 + 1) / count
    }
    buffers.withFloats((panels.map(\.count).max() ?? 0) * columns.count) { elements in
      for panel in panels {
        widen(panel, columns, into: elements)
        body(panel, elements, columns.count)
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

  private func widen(_ panel: Range<Int>, _ wanted: Range<Int>, into elements: UnsafeMutablePointer<Float>) {
    for (part, start) in zip(parts, starts) {
      let found = panel.clamped(to: start..<start + part.rows.count)
      if found.isEmpty { continue }
      let width = part.dtype.bitsPerElement / 8
      // Whole rows follow one another.
      let isWhole = wanted.count == columns
      let (runs, length) = isWhole ? (1, found.count * columns) : (found.count, wanted.count)
      part.source.withUnsafeBytes { bytes in
        for run in 0..<runs {
          let row = part.rows.lowerBound + found.lowerBound - start + run
          let first = (row * columns + wanted.lowerBound) * width
          let target = elements + (found.lowerBound - panel.lowerBound + run) * wanted.count
          Tensors.widen(
            UnsafeRawBufferPointer(rebasing: bytes[first..<first + length * width]), dtype: part.dtype,
            into: UnsafeMutableBufferPointer(start: target, count: length))
        }
      }
    }
  }
}

/// Where the panels of a decoder's weights are made, one after the other by each thread.
final class PanelBuffers: Sendable {
  private let capacity: Int
  private let leastRows: Int
  private let free = Mutex<[Matrix<Float>]>([])

  /// - Parameters:
  ///   - capacity: how many elements a panel has at most, unless that is fewer than `leastRows` rows. 2 MiB stay in
  ///     most processors' last cache, for every thread.
  ///   - leastRows: short panels make slow products.
  init(capacity: Int = 1 << 19, leastRows: Int = 512) {
    self.capacity = capacity
    self.leastRows = leastRows
  }

  /// How many rows a panel has at most. A product with few rows gains from panels that stay in a core's own cache, and
  /// one with many from panels that are not taken up too often.
  func height(_ columns: Int, productRows: Int) -> Int {
    let isNarrow = productRows < 64
    let (capacity, leastRows) = isNarrow ? (capacity / 4, leastRows / 8) : (capacity, leastRows)
    return max(1, leastRows, capacity / max(columns, 1))
  }

  /// Calls `body` with room for `count` elements.
  func withFloats(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) {
    var elements = free.withLock { $0.popLast() } ?? Matrix(rows: 0, columns: 0)
    if elements.count < count { elements = Matrix(uninitializedRows: 1, columns: count) }
    elements.withUnsafeMutablePointer(body)
    free.withLock { $0.append(elements) }
  }
}
