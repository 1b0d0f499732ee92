/// The activation functions of the supported models.
public enum Activation: Int32, Sendable, CaseIterable {
  // The raw values are CKernels' (activation.h).
  case silu = 0
  case geluTanh = 1
  case geluErf = 2
  case relu = 3
  case reluSquared = 4
  case quickGELU = 5

  private static let names: [(String, Activation)] = [
    ("silu", .silu), ("swish", .silu), ("gelu_new", .geluTanh), ("gelu_pytorch_tanh", .geluTanh),
    ("gelu_fast", .geluTanh), ("gelu_python_tanh", .geluTanh), ("gelu_accurate", .geluTanh), ("gelu", .geluErf),
    ("gelu_python", .geluErf), ("quick_gelu", .quickGELU), ("relu", .relu), ("relu2", .reluSquared),
  ]

  static var configurationNames: [String] { names.map(\.0) }

  /// By the name that `config.json` uses.
  init?(configurationName: String) {
    guard let match = Self.names.first(where: { $0.0 == configurationName }) else { return nil }
    self = match.1
  }
}
