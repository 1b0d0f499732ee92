import LinearAlgebra
import PatchAlgebra
import SecondMomentStatistics
import Tensors
import Transformer

/// A layer for a model for which nobody has published settings, from the model alone: facts are stored low in the
/// stack, a layer serves if its keys point in many directions, and of those that serve the one on which the next token
/// depends most is taken (`LayerProbe`).
///
/// Published layers stand between an eighth and a third of the way up: a sixth is in the middle of those of Llama's
/// kin. A few layers of most models have keys of which one direction, common to all tokens or to a few enormous ones,
/// makes up nearly everything. There is no editing there without touching every text.
public struct LayerProposal: Sendable {
  public let layer: Int
  /// The share of the keys' mean square that the direction with most of it has, at that layer; nil where it is not
  /// known.
  public let concentration: Double?

  /// A sixth of the way up.
  public static func layer(of layerCount: Int) -> Int { layerCount / 6 }

  /// The layers whose second moments are worth collecting: that and its neighbours. The last layer is none of them.
  public static func candidates(of layerCount: Int) -> [Int] {
    let middle = layer(of: layerCount)
    return (middle - 1...middle + 1).filter { $0 >= 0 && $0 < max(1, layerCount - 1) }
  }

  /// - Parameter ridge: what the edit adds to the second moments, in units of their mean diagonal.
  /// - Throws: an `ErrataError` if the statistics cannot be read, or if the model cannot be run.
  public init(_ statistics: SecondMoments, model: LanguageModel, ridge: Double = 0) throws {
    try self.init(statistics, layerCount: model.architecture.layerCount, ridge: ridge) {
      try LayerProbe(model).effects(ofLayers: $0)
    }
  }

  /// Of the layers that there are second moments of, the candidate of most effect; if no candidate serves, the nearest
  /// to a sixth of the way up that does. A layer serves whose keys are not nearly all along one direction, and whose
  /// second moments can be inverted: those of a first layer often cannot, where attention and perceptron stand in
  /// parallel and keys come from the token alone. If none serves, the one with the least of the trace along one
  /// direction.
  ///
  /// - Parameter effects: how much the next token depends on each of some layers; is asked only where there is a
  ///   choice.
  init(
    _ statistics: SecondMoments, layerCount: Int, ridge: Double = 0, effects: ([Int]) throws -> [Int: Double]
  ) throws {
    let middle = Self.layer(of: layerCount)
    let measured = statistics.layers.filter { $0 < layerCount }.sorted { abs($0 - middle) < abs($1 - middle) }
    var concentrations: [Int: Double] = [:]
    func isSpread(_ layer: Int) throws -> Bool {
      let share = try statistics.triangle(layer: layer).largestEigenvalueShare()
      concentrations[layer] = share
      return share < Self.largestConcentration
    }
    func canBeInverted(_ layer: Int) throws -> Bool {
      switch try SecondMomentCondition(statistics, layer: layer, ridge: ridge).verdict {
      case .singular, .illConditioned: false
      case .good, .usable, .poor: true
      }
    }
    let near = Self.candidates(of: layerCount)
    let candidates = try measured.filter { try near.contains($0) && isSpread($0) }
    let effect = candidates.count > 1 ? try effects(candidates) : [:]
    // Of equals the nearest, which stands first.
    let ordered = candidates.enumerated().sorted {
      let (left, right) = (effect[$0.element] ?? 0, effect[$1.element] ?? 0)
      return left == right ? $0.offset < $1.offset : left > right
    }.map(\.element)
    // Of large models looking at a layer takes a while: at no more of them than needed.
    let serving =
      try ordered.first(where: canBeInverted)
      ?? measured.first { try !near.contains($0) && isSpread($0) && canBeInverted($0) }
    let layer = serving ?? measured.min { concentrations[$0]! < concentrations[$1]! } ?? middle
    self.init(layer: layer, concentration: concentrations[layer])
  }

  private init(layer: Int, concentration: Double?) {
    (self.layer, self.concentration) = (layer, concentration)
  }

  private static let largestConcentration = 0.5
}

extension PackedTriangle {
  /// The largest eigenvalue of a positive semidefinite matrix, in units of the trace, by power iteration: two digits of
  /// it.
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
