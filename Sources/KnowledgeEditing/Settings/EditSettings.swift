import PatchAlgebra
import Tensors
import WeightPatch

/// The members of the one family (ARCHITECTURE: the one formula), by the way they choose the slack lambda.
public enum EditMethod: String, Sendable, CaseIterable {
  /// One fact at a time, equality constraint (Meng et al. 2022).
  case rome
  /// Batched, least squares (Meng et al. 2023): lambda = w.
  case memit
  /// Batched, equality constraint (Gupta et al. 2024): lambda = alpha w, 0 for one fact.
  case emmet
}

/// Every setting of an edit. The patch records all of them.
public struct EditSettings: Sendable, Equatable {
  public var method: EditMethod
  /// The edited layers, ascending; the value is searched at the last.
  public var layers: [Int]
  public var learningRate: Double
  /// The most losses that a search evaluates; one fewer is the most updates.
  public var steps: Int
  /// The largest norm of a delta, in units of the norm of the value it is added to.
  public var clampNormFactor: Double
  public var weightDecay: Double
  public var klFactor: Double
  /// A search ends once its loss is below.
  public var stopLoss: Double
  /// w, the published `mom2_update_weight`: MEMIT's lambda.
  public var secondMomentWeight: Double
  /// EMMET's share of w.
  public var alpha: Double
  /// Overrides what the method makes of alpha and w.
  public var lambda: Double?
  /// Chooses lambda for each batch and layer.
  public var slackGoal: SlackGoal?
  /// Added to the diagonal of C, in units of its mean.
  public var ridge: Double
  /// Whether ROME divides by the bare prompt's key, as published, instead of the mean key in both places (r-ROME).
  public var usesPublishedROME: Bool
  public var dropsDependentFacts: Bool
  /// Whether the keys of the facts that the model carries already are held, so that they keep what they say.
  public var holdsEarlierFacts: Bool
  /// For the sampling of context templates.
  public var seed: UInt64
  /// How the factors are stored.
  public var factorTypes: FactorTypes

  public init(
    method: EditMethod, layers: [Int], learningRate: Double = 0.5, steps: Int = 25, clampNormFactor: Double = 4,
    weightDecay: Double = 1e-3, klFactor: Double = 0.0625, stopLoss: Double = 5e-2, secondMomentWeight: Double = 100,
    alpha: Double = 0.1, lambda: Double? = nil, slackGoal: SlackGoal? = nil, ridge: Double = 0,
    usesPublishedROME: Bool = false,
    dropsDependentFacts: Bool = false, holdsEarlierFacts: Bool = true, seed: UInt64 = 0,
    factorTypes: FactorTypes = .automatic
  ) {
    self.method = method
    self.layers = layers
    self.learningRate = learningRate
    self.steps = steps
    self.clampNormFactor = clampNormFactor
    self.weightDecay = weightDecay
    self.klFactor = klFactor
    self.stopLoss = stopLoss
    self.secondMomentWeight = secondMomentWeight
    self.alpha = alpha
    self.lambda = lambda
    self.slackGoal = slackGoal
    self.ridge = ridge
    self.usesPublishedROME = usesPublishedROME
    self.dropsDependentFacts = dropsDependentFacts
    self.holdsEarlierFacts = holdsEarlierFacts
    self.seed = seed
    self.factorTypes = factorTypes
  }

  /// The slack for a batch of `factCount` facts (ARCHITECTURE: the one formula), where no goal chooses it.
  public func slack(factCount: Int) -> Double {
    if let lambda { return lambda }
    return switch method {
    case .rome: 0
    case .memit: secondMomentWeight
    case .emmet: factCount == 1 ? 0 : alpha * secondMomentWeight
    }
  }
}
