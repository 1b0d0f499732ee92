import LinearAlgebra
import PatchAlgebra
import SecondMomentStatistics
import Tensors
import Transformer

/// A layer for a model for which nobody has published settings, from the model alone: facts are stored low in the stack, and
/// a layer serves if its keys point in many directions.
///
/// Published layers stand between an eighth and a third of the way up: a sixth is in the middle of those of Llama's kin. A
/// few layers of most models have keys of which one direction, common to all tokens or to a few enormous ones, makes up
/// nearly everything. There is no editing there without touching every text.
public struct LayerProposal: Sendable {
  public let layer: Int
  /// The share of the keys' mean square that the direction with most of it has, at that layer; nil where it is not known.
  public let concentration: Double?

  /// A sixth of the way up.
  public static func layer(of layerCount: Int) -> Int { layerCount / 6 }

  /// The layers whose second moments are worth collecting: that and its neighbours. The last layer is none of them.
  public static func candidates(of layerCount: Int) -> [Int] {
    let middle = layer(of: layerCount)
    return (middle - 1...middle + 1).filter { $0 >= 0 && $0 < max(1, layerCount - 1) }
  }

  /// Of the layers that there are second moments of, the nearest to a sixth of the way up whose keys are not nearly all
  /// along one direction; if all are, the one where they are least.
  ///
  /// - Throws: an `ErrataError` if the statistics cannot be read.
  public init(_ statistics: SecondMoments, layerCount: Int) throws {
    let middle = Self.layer(of: layerCount)
    let candidates = statistics.layers.filter { $0 < layerCount }.sorted { abs($0 - middle) < abs($1 - middle) }
    var best: LayerProposal?
    for layer in candidates {
      let concentration = try statistics.triangle(layer: layer).largestEigenvalueShare()
      if concentration < Self.largestConcentration {
        self.init(layer: layer, concentration: concentration)
        return
      }
      if best.map({ concentration < $0.concentration! }) ?? true {
        best = LayerProposal(layer: layer, concentration: concentration)
      }
    }
    self = best ?? LayerProposal(layer: middle, concentration: nil)
  }

  private init(layer: Int, concentration: Double?) {
    (self.layer, self.concentration) = (layer, concentration)
  }

  private static let largestConcentration = 0.5
}

extension PackedTriangle {
  /// The largest eigenvalue of a positive semidefinite matrix, in units of the trace, by power iteration: two digits of it.
  func largestEigenvalueShare() -> Double {
    let diagonal = diagonal
    let trace = diagonal.reduce(0, +)
    guard trace > 0 else { return 0 }
    // The diagonal's square roots are nearer to the answer than anything random.
    var vector = Matrix<Double>(rows: 1, columns: size, elements: diagonal.map { max($0, 0).squareRoot() })
    var share = 0.0
    for _ in 0..<30 {
      let length = vector.frobeniusNorm
      guard length > 0, length.isFinite else { return share }
      let unit = Matrix<Double>(rows: 1, columns: size, elements: vector.elements.map { $0 / length })
      vector = product(ofRows: unit)
      let next = vector.frobeniusNorm / trace
      if abs(next - share) < 1e-3 * next { return next }
      share = next
    }
    return share
  }
}
