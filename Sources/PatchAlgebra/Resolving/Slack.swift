import WeightPatch

/// How to choose the slack of a batch that is solved again (ARCHITECTURE: the one formula).
public enum Slack: Sendable, Equatable {
  case lambda(Double)
  /// MEMIT: lambda = w.
  case memit(weight: Double)
  /// EMMET: lambda = alpha w, 0 for one fact.
  case emmet(alpha: Double, weight: Double)

  func lambda(factCount: Int) -> Double {
    switch self {
    case .lambda(let lambda): lambda
    case .memit(let weight): weight
    case .emmet(let alpha, let weight): factCount == 1 ? 0 : alpha * weight
    }
  }

  /// The description of a batch of `factCount` facts, brought up to date. What the old lambda was made of goes.
  func update(_ method: inout Manifest.Method, factCount: Int) {
    method.slack = .same(lambda(factCount: factCount))
    (method.alpha, method.secondMomentWeight) = (nil, nil)
    switch self {
    case .lambda: break
    case .memit(let weight):
      method.name = "memit"
      method.secondMomentWeight = weight
    case .emmet(let alpha, let weight):
      method.name = "emmet"
      (method.alpha, method.secondMomentWeight) = (alpha, weight)
    }
  }
}

extension Slack: CustomStringConvertible {
  public var description: String {
    switch self {
    case .lambda(let lambda): "lambda \(lambda)"
    case .memit(let weight): "memit, w \(weight)"
    case .emmet(let alpha, let weight): "emmet, alpha \(alpha), w \(weight)"
    }
  }
}
