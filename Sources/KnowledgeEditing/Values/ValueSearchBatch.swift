import LinearAlgebra
import Tensors
import Transformer

/// Facts whose values are searched together: what does not depend on their deltas, computed once.
///
/// Rows at or after a lookup are variable, and belong to one fact each; all others are constant, and shared.
final class ValueSearchBatch {
  struct Evaluation {
    let negativeLogLikelihood: Double
    /// Times the KL factor.
    let divergence: Double
    /// Of both, with respect to the fact's delta.
    let gradient: [Float]
  }

  /// The facts that fit: the first ones of those given.
  let problems: [ValueProblem]
  /// v0 of each fact.
  private(set) var initial: [[Float]] = []
  var factCount: Int { problems.count }

  private let decoder: Decoder
  private let rest: Range<Int>
  private let rows: ValueSearchRows
  private let intervention: DeltaIntervention
  /// Keys and values of the constant rows at the layers after the edited one.
  private let store: KeyValueStore
  /// For each fact, the log-probabilities at the essence's lookup without a delta.
  private var essence: [[Float]?]
  private var packed: (facts: [Int], rows: PackedRows, tape: Tape)?

  init(
    _ decoder: Decoder, problems: [ValueProblem], layer: Int, site: ValueSite, memoryBudget: Int
  ) throws {
    self.decoder = decoder
    let architecture = decoder.architecture
    rest = layer + 1..<architecture.layerCount
    self.problems = Array(
      problems.prefix(Self.fitting(problems[...], architecture, layers: rest.count, memoryBudget: memoryBudget)))
    rows = ValueSearchRows(self.problems)
    essence = Array(repeating: nil, count: self.problems.count)
    let tree = rows.tree
    let bareLookups = rows.bareLookups
    let intervention = try DeltaIntervention(decoder, tree: tree, layer: layer, site: site, keyRows: bareLookups)
    let values =
      site == .perceptronOutput
      ? try decoder.perceptronOutput(ofKeys: intervention.keys, layer: layer) : intervention.values(at: bareLookups)
    initial = (0..<values.rows).map(values.row)
    self.intervention = intervention
    store = KeyValueStore(architecture, layers: rest)
    var constant = intervention.stream.rows(at: rows.constantRows)
    try decoder.forward(
      &constant, plan: rows.constantPlan, tokens: rows.constantRows.map { tree.tokens[$0] },
      positions: rows.constantRows.map { tree.positions[$0] }, layers: rest, store: store, appending: true,
      shared: intervention.shared.rows(at: rows.constantRows))
  }

  /// How many of the first problems `memoryBudget` allows, at least one.
  ///
  /// - Parameter layers: how many follow the edited one.
  static func fitting(
    _ problems: ArraySlice<ValueProblem>, _ architecture: Architecture, layers: Int, memoryBudget: Int
  ) -> Int {
    var used = 0
    let fitting = problems.prefix { problem in
      let variableRows = problem.prompts.reduce(problem.essence.tokens.count - problem.essence.lookup) {
        $0 + $1.tokens.count - $1.lookup + problem.target.count - 1
      }
      let lossRows = problem.prompts.count * problem.target.count + 1
      used +=
        variableRows * layers * Tape.byteCountPerRow(architecture)
        + (2 * lossRows + 1) * architecture.vocabularySize * 4
      return used <= memoryBudget
    }
    return max(fitting.count, 1)
  }

  /// The loss, without weight decay, and its gradient for some facts.
  ///
  /// - Parameters:
  ///   - facts: ascending.
  ///   - deltas: one per fact of the batch. The first evaluation of a fact must be at zero: it fixes the distribution
  ///     that the KL term compares with.
  func evaluate(_ facts: [Int], deltas: [[Float]], klFactor: Double) throws -> [Evaluation] {
    if packed?.facts != facts {
      let rows = rows.packed(facts, problems: problems)
      packed = (facts, rows, Tape(decoder, plan: rows.plan, layers: rest))
    }
    let (_, packedRows, tape) = packed!
    let size = decoder.architecture.hiddenSize
    var hidden = intervention.stream.rows(at: packedRows.treeRows)
    for (fact, marked) in zip(facts, packedRows.markedRows) {
      try intervention.add(deltas[fact], to: &hidden, rows: marked, treeRows: marked.map { packedRows.treeRows[$0] })
    }
    try decoder.forward(
      &hidden, plan: packedRows.plan, tokens: packedRows.treeRows.map { rows.tree.tokens[$0] },
      positions: packedRows.positions, layers: rest, store: store,
      shared: intervention.shared.rows(at: packedRows.treeRows),
      tape: tape)
    let lossRows = packedRows.lossRows
    let read = hidden.rows(at: lossRows.map(\.row))
    let logits = decoder.logits(read)
    let (losses, dLogits) = Profile.measure("losses") { self.losses(logits, lossRows, klFactor: klFactor) }
    let dRead = decoder.logitsBackward(read, logits: logits, dLogits: dLogits)
    var gradient = Matrix<Float>(rows: hidden.rows, columns: size)
    gradient.withUnsafeMutablePointer { target in
      dRead.withUnsafePointer { source in
        for (position, lossRow) in lossRows.enumerated() {
          (target + lossRow.row * size).update(from: source + position * size, count: size)
        }
      }
    }
    try decoder.backward(&gradient, positions: packedRows.positions, store: store, tape: tape)
    return try facts.enumerated().map { position, fact in
      let marked = packedRows.markedRows[position]
      let mine = zip(lossRows, losses).filter { $0.0.fact == fact }.map(\.1)
      return Evaluation(
        negativeLogLikelihood: mine.reduce(0) { $0 + $1.negativeLogLikelihood },
        divergence: mine.reduce(0) { $0 + $1.divergence },
        gradient: try intervention.gradient(
          deltas[fact], dHidden: gradient, rows: marked, treeRows: marked.map { packedRows.treeRows[$0] }))
    }
  }

  private func losses(
    _ logits: Matrix<Float>, _ lossRows: [PackedRows.LossRow], klFactor: Double
  ) -> ([(negativeLogLikelihood: Double, divergence: Double)], Matrix<Float>) {
    let vocabularySize = logits.columns
    var dLogits = Matrix<Float>(rows: logits.rows, columns: vocabularySize)
    for (position, row) in lossRows.enumerated() where row.holdsDistribution && essence[row.fact] == nil {
      essence[row.fact] = TokenDistribution(logits: logits, row: position).logProbabilities()
    }
    let essence = self.essence
    var losses = [(negativeLogLikelihood: Double, divergence: Double)](repeating: (0, 0), count: lossRows.count)
    dLogits.withUnsafeMutablePointer { gradient in
      losses.withUnsafeMutableBufferPointer { losses in
        let shared = Shared((gradient: gradient, losses: losses))
        Threads.forEach(lossRows.count) { position in
          let lossRow = lossRows[position]
          let distribution = TokenDistribution(logits: logits, row: position)
          let gradient = shared.pointer.gradient + position * vocabularySize
          for (target, coefficient) in lossRow.targets {
            shared.pointer.losses[position].negativeLogLikelihood -=
              coefficient * distribution.logProbability(Int(target))
            distribution.addNegativeLogLikelihoodGradient(
              target: Int(target), coefficient: Float(coefficient), to: gradient)
          }
          if lossRow.holdsDistribution, let initial = essence[lossRow.fact] {
            let divergence = distribution.divergence(from: initial)
            shared.pointer.losses[position].divergence = klFactor * divergence
            distribution.addDivergenceGradient(
              from: initial, divergence: divergence, coefficient: Float(klFactor), to: gradient)
          }
        }
      }
    }
    return (losses, dLogits)
  }
}
