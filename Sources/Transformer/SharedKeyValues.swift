import Tensors

/// The keys and values of a pass's rows at layers from which later ones take them too (Gemma 4), for passes that begin
/// behind those layers; in a backward pass, their gradients.
public final class SharedKeyValues {
  /// By layer, rows x their size.
  private var values: [Int: Matrix<Float>]
  private let sources: Set<Int>

  /// Of no rows yet.
  public init(_ architecture: Architecture) {
    sources = Set(architecture.layers.compactMap(\.keyValueSource))
    values = [:]
  }

  private init(_ values: [Int: Matrix<Float>], sources: Set<Int>) {
    (self.values, self.sources) = (values, sources)
  }

  /// Those of some of the rows, in that order.
  public func rows(at indices: [Int]) -> SharedKeyValues {
    SharedKeyValues(values.mapValues { $0.rows(at: indices) }, sources: sources)
  }

  /// Calls `body` with a layer's, zero at first, if another layer takes them.
  func withValues(of layer: Int, rows: Int, size: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) {
    guard sources.contains(layer) else { return }
    values[layer, default: Matrix(rows: rows, columns: size)].withUnsafeMutablePointer(body)
  }

  /// Whether a pass over `layers` finds what they take.
  func serve(_ layers: Range<Int>, of architecture: Architecture) -> Bool {
    layers.allSatisfy { layer in
      guard let source = architecture.layers[layer].keyValueSource else { return true }
      return layers.contains(source) || values[source] != nil
    }
  }
}
