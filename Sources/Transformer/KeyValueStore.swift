/// Keys (rotated) and values of rows that later passes see, for a range of layers.
public final class KeyValueStore {
  public let layers: Range<Int>
  /// For each layer of `layers`, per row: keys of all heads, then values of all heads.
  private(set) var rows: [[Float]]
  /// The number of floats that a row takes at each layer.
  private let widths: [Int]
  public private(set) var rowCount = 0

  public init(_ architecture: Architecture, layers: Range<Int>) {
    self.layers = layers
    widths = architecture.layers[layers].map { 2 * $0.heads.keyValueSize }
    rows = Array(repeating: [], count: layers.count)
  }

  /// Appends the keys and values of packed rows (their last floats) at one layer.
  func append(_ packed: UnsafePointer<Float>, rows count: Int, stride: Int, layer: Int) {
    let index = layer - layers.lowerBound
    let width = widths[index]
    rows[index].reserveCapacity(rows[index].count + count * width)
    for row in 0..<count {
      rows[index].append(
        contentsOf: UnsafeBufferPointer(start: packed + row * stride + stride - width, count: width))
    }
  }

  /// Notes that every layer has got `count` more rows.
  func advance(by count: Int) {
    rowCount += count
  }
}
