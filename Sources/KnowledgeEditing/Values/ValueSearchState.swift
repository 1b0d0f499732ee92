/// Where the search of a batch of facts is: all that its next step depends on, besides facts and settings.
struct ValueSearchState: Sendable {
  /// Steps that were made.
  var step = 0
  /// One for each fact of the batch, as what follows.
  var deltas: [[Float]]
  var optimizers: [AdamOptimizer]
  var histories: [[ValueSearchStep]]
  /// The facts that are still searched, ascending.
  var active: [Int]

  var factCount: Int { deltas.count }

  /// At the beginning: every delta is zero.
  init(factCount: Int, size: Int, learningRate: Double) {
    deltas = Array(repeating: Array(repeating: 0, count: size), count: factCount)
    optimizers = Array(repeating: AdamOptimizer(count: size, learningRate: learningRate), count: factCount)
    histories = Array(repeating: [], count: factCount)
    active = Array(0..<factCount)
  }
}

/// How far value searches are.
public struct ValueSearchProgress: Sendable {
  /// Facts whose values are found.
  public var found: Int
  /// Steps of all facts: those that were made, and how many there are at most. A fact that is found has made all of its
  /// own.
  public var steps: Int
  public var totalSteps: Int
  /// For people: "step 3, mean loss 0.25".
  public var remark: String
}
