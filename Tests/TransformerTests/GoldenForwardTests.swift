import Tensors
import TestSupport
import Testing

@testable import Transformer

@Suite struct GoldenForwardTests {
  /// Outputs and keys within 2e-5 of the largest value, gradients within 1e-4: float32 on both sides.
  @Test(arguments: GoldenFamily.all) func everyLayerOfEverySequence(family: GoldenFamily) throws {
    let golden = try Golden(family)
    let decoder = golden.decoder
    // All sequences in one tree: packing and the attention plan are tested with the arithmetic.
    let tree = TokenTree(golden.sequences.map(\.tokens))
    var hidden = try decoder.embed(tokens: tree.tokens, positions: tree.positions)
    func check(_ found: Matrix<Float>, _ name: String) throws {
      for (index, rows) in tree.rowsOfSequence.enumerated() {
        let error = largestError(found.rows(at: rows).elements, try golden.matrix("seq\(index).\(name)").elements)
        #expect(error < 2e-5, "\(family) sequence \(index) \(name): \(error)")
      }
    }
    try check(hidden, "embed")
    try decoder.forward(
      &hidden, plan: AttentionPlan(tree), tokens: tree.tokens, positions: tree.positions,
      layers: 0..<decoder.architecture.layerCount
    ) { observation in
      switch observation {
      case .keys(let layer, let keys): try check(keys, "key.\(layer)")
      case .output(let layer, let output): try check(output, "hidden.\(layer)")
      }
    }
    try check(decoder.logits(hidden), "logits")
  }

  /// The rows after the delta are recomputed alone, against the kept keys and values of the rows before it.
  @Test(arguments: GoldenFamily.all) func gradientsOfTheSuffix(family: GoldenFamily) throws {
    let golden = try Golden(family)
    for (index, sequence) in golden.sequences.enumerated() {
      let zero = [Float](repeating: 0, count: golden.decoder.architecture.hiddenSize)
      let delta = try golden.matrix("seq\(index).delta").elements
      let atZero = try SuffixProblem(golden.decoder, sequence).evaluate(delta: zero)
      let atDelta = try SuffixProblem(golden.decoder, sequence).evaluate(delta: delta)
      #expect(abs(atZero.likelihood / sequence.likelihoodAtZero - 1) < 1e-5)
      #expect(abs(atDelta.likelihood / sequence.likelihood - 1) < 1e-5)
      for (found, name) in [
        (atZero.gradient, "grad0"), (atDelta.gradient, "grad"), (atDelta.divergenceGradient, "gradkl"),
      ] {
        let error = largestError(found, try golden.matrix("seq\(index).\(name)").elements)
        #expect(error < 1e-4, "\(family) sequence \(index) \(name): \(error)")
      }
      #expect(abs(atDelta.divergence - sequence.divergence) < 1e-5 + 1e-4 * sequence.divergence)
    }
  }

  /// Also where scores depend on the keys' positions, and where layers take keys and values from others.
  @Test(arguments: ["llama_tied", "bloom", "gemma4_text_wide"])
  func sharedPrefixesGiveWhatSeparateSequencesGive(family: String) throws {
    let golden = try Golden(family)
    let decoder = golden.decoder
    let start = golden.sequences[2].tokens
    let sequences = [start, Array(start.prefix(6)) + [7, 8, 9], Array(start.prefix(6)) + [7, 10], [5], start + [3]]
    let tree = TokenTree(sequences)
    #expect(tree.rowCount == 15 + 3 + 1 + 1 + 1)
    let together = try logits(decoder, tree)
    for (index, sequence) in sequences.enumerated() {
      let alone = try logits(decoder, TokenTree([sequence]))
      let error = relativeError(together.rows(at: tree.rowsOfSequence[index]).elements, alone.elements)
      #expect(error < 1e-6)
    }
  }

  @Test(arguments: GoldenFamily.all) func tokenByTokenGivesWhatOnePassGives(family: GoldenFamily) throws {
    let golden = try Golden(family)
    let decoder = golden.decoder
    let tokens = golden.sequences[1].tokens
    let layers = 0..<decoder.architecture.layerCount
    let store = KeyValueStore(decoder.architecture, layers: layers)
    var rows: [Float] = []
    for (position, token) in tokens.enumerated() {
      var hidden = try decoder.embed(tokens: [token], positions: [Int32(position)])
      let plan = AttentionPlan(runs: [.init(rows: 0..<1, context: [.kept(0..<position)], group: 0)])
      try decoder.forward(
        &hidden, plan: plan, tokens: [token], positions: [Int32(position)], layers: layers, store: store,
        appending: true)
      rows += decoder.logits(hidden).elements
    }
    #expect(largestError(rows, try golden.matrix("seq1.logits").elements) < 2e-5)
  }

  private func logits(_ decoder: Decoder, _ tree: TokenTree) throws -> Matrix<Float> {
    var hidden = try decoder.embed(tokens: tree.tokens, positions: tree.positions)
    try decoder.forward(
      &hidden, plan: AttentionPlan(tree), tokens: tree.tokens, positions: tree.positions,
      layers: 0..<decoder.architecture.layerCount)
    return decoder.logits(hidden)
  }
}

/// A sequence with a delta at one position: the mean negative log-likelihood of its last tokens, and its gradient.
private struct SuffixProblem {
  let decoder: Decoder
  let sequence: Golden.Sequence

  init(_ decoder: Decoder, _ sequence: Golden.Sequence) {
    self.decoder = decoder
    self.sequence = sequence
  }

  struct Result {
    let likelihood: Double
    let gradient: [Float]
    let divergence: Double
    let divergenceGradient: [Float]
  }

  func evaluate(delta: [Float]) throws -> Result {
    let architecture = decoder.architecture
    let tree = TokenTree([sequence.tokens])
    var hidden = try decoder.embed(tokens: tree.tokens, positions: tree.positions)
    let first = sequence.editLayer + 1
    let shared = SharedKeyValues(architecture)
    try decoder.forward(
      &hidden, plan: AttentionPlan(tree), tokens: tree.tokens, positions: tree.positions, layers: 0..<first,
      shared: shared)
    let (start, count) = (sequence.deltaPosition, tree.rowCount)
    let rest = first..<architecture.layerCount
    let store = KeyValueStore(architecture, layers: rest)
    var constant = hidden.rows(at: Array(0..<start))
    let constantPlan = AttentionPlan(runs: [.init(rows: 0..<start, context: [], group: 0)])
    try decoder.forward(
      &constant, plan: constantPlan, tokens: Array(tree.tokens[..<start]),
      positions: Array(tree.positions[..<start]), layers: rest, store: store, appending: true,
      shared: shared.rows(at: Array(0..<start)))
    let plan = AttentionPlan(runs: [.init(rows: 0..<count - start, context: [.kept(0..<start)], group: 0)])
    let positions = Array(tree.positions[start...])

    func run(_ delta: [Float], _ tape: Tape?) throws -> Matrix<Float> {
      var variable = hidden.rows(at: Array(start..<count))
      for (index, value) in delta.enumerated() { variable[0, index] += value }
      try decoder.forward(
        &variable, plan: plan, tokens: Array(tree.tokens[start...]), positions: positions, layers: rest, store: store,
        shared: shared.rows(at: Array(start..<count)), tape: tape)
      return variable
    }
    let unchanged = decoder.logits(try run(Array(repeating: 0, count: delta.count), nil))
    let initial = TokenDistribution(logits: unchanged, row: 0).logProbabilities()
    let tape = Tape(decoder, plan: plan, layers: rest)
    let output = try run(delta, tape)
    let logits = decoder.logits(output)
    func gradient(_ output: Matrix<Float>, _ tape: Tape, _ dLogits: Matrix<Float>) throws -> [Float] {
      var dHidden = decoder.logitsBackward(output, logits: logits, dLogits: dLogits)
      try decoder.backward(&dHidden, positions: positions, store: store, tape: tape)
      return dHidden.row(0)
    }
    var dLikelihood = Matrix<Float>(rows: output.rows, columns: architecture.vocabularySize)
    var likelihood = 0.0
    for offset in 0..<sequence.targetCount {
      let row = count - sequence.targetCount - 1 + offset - start
      let distribution = TokenDistribution(logits: logits, row: row)
      let target = Int(sequence.tokens[row + start + 1])
      likelihood -= distribution.logProbability(target) / Double(sequence.targetCount)
      dLikelihood.withUnsafeMutablePointer {
        distribution.addNegativeLogLikelihoodGradient(
          target: target, coefficient: 1 / Float(sequence.targetCount),
          to: $0 + row * architecture.vocabularySize)
      }
    }
    var dDivergence = Matrix<Float>(rows: output.rows, columns: architecture.vocabularySize)
    let distribution = TokenDistribution(logits: logits, row: 0)
    let divergence = distribution.divergence(from: initial)
    dDivergence.withUnsafeMutablePointer {
      distribution.addDivergenceGradient(from: initial, divergence: divergence, coefficient: 1, to: $0)
    }
    return Result(
      likelihood: likelihood, gradient: try gradient(output, tape, dLikelihood), divergence: divergence,
      divergenceGradient: try gradient(output, tape, dDivergence))
  }
}
