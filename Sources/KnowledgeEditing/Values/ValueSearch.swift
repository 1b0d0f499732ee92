import Facts
import LinearAlgebra
import Tensors
import Transformer

/// One fact as the value search sees it.
public struct ValueProblem: Sendable {
  /// How messages name the fact.
  public let label: String
  /// One per context template, the bare prompt first.
  public let prompts: [TokenizedPrompt]
  public let target: [Int32]
  /// `"{} is a"`, at whose lookup the distribution of the next token is held.
  public let essence: TokenizedPrompt

  public init(label: String, prompts: [TokenizedPrompt], target: [Int32], essence: TokenizedPrompt) {
    self.label = label
    self.prompts = prompts
    self.target = target
    self.essence = essence
  }
}

/// Where a delta is added, which decides the value that it is added to.
public enum ValueSite: Sendable {
  /// The output of the block: MEMIT and EMMET.
  case blockOutput
  /// The output of the perceptron: ROME, and every method on a model that normalizes it before it joins the stream
  /// (Gemma 2), where no down-projection could give most values of the block.
  case perceptronOutput

  init(_ method: EditMethod, _ architecture: Architecture) {
    self = method == .rome || architecture.normalizesDownOutput ? .perceptronOutput : .blockOutput
  }
}

/// One evaluation of the loss.
public struct ValueSearchStep: Sendable {
  public let loss: Double
  public let negativeLogLikelihood: Double
  public let divergence: Double
  public let weightDecay: Double
  public let deltaNorm: Double
}

/// The value that a search found for a fact.
public struct FoundValue: Sendable {
  /// v0, what the bare prompt gives without an edit.
  public let initial: [Float]
  public let delta: [Float]
  public let steps: [ValueSearchStep]

  /// z = v0 + delta.
  public var value: [Float] { zip(initial, delta).map { $0 + $1 } }
}

/// Searches the vector that makes the model say the new target (ARCHITECTURE: keys and values; MEMIT, section 4.2.1):
///
///     loss = mean over prompts of (NLL of the target / its length)
///            + klFactor KL(with delta || without) at the lookup of "{} is a"
///            + weightDecay norm(delta) / norm(v0)^2
///
/// Adam on `delta`, which is added to the output of `layer` at every lookup. Rows before the lookups and layers up to
/// `layer` do not depend on it: they are computed once, and a step computes only what does.
public struct ValueSearch {
  private let decoder: Decoder
  private let layer: Int
  private let site: ValueSite
  let settings: EditSettings
  let memoryBudget: Int

  /// - Parameter memoryBudget: bytes that the facts searched together may take; one fact is always searched.
  public init(
    _ decoder: Decoder, layer: Int, site: ValueSite, settings: EditSettings, memoryBudget: Int? = nil
  ) {
    self.decoder = decoder
    self.layer = layer
    self.site = site
    self.settings = settings
    self.memoryBudget = memoryBudget ?? Self.defaultMemoryBudget(decoder.architecture)
  }

  /// A third of what the weights take in float32: a dozen facts of a hundred million weights, whose products are about
  /// as fast as those of more facts. No more than 512 MiB, which holds few facts of a large model.
  private static func defaultMemoryBudget(_ architecture: Architecture) -> Int {
    let hidden = architecture.hiddenSize
    let layer = hidden * (4 * hidden + 3 * architecture.intermediateSize)
    let weights = architecture.layerCount * layer + architecture.vocabularySize * hidden
    return min(max(4 * weights / 3, 128 << 20), 512 << 20)
  }

  /// - Parameters:
  ///   - onStep: called after each step; false stops the search.
  ///   - onFound: called with the indices and values of the facts of a batch when all of them are found.
  /// - Returns: a value for each problem; nil if the search was stopped.
  /// - Throws: an `ErrataError` if a loss is not finite or a prompt does not fit the model.
  public func search(
    _ problems: [ValueProblem], onStep: (ValueSearchProgress) -> Bool = { _ in true },
    onFound: ([(index: Int, value: FoundValue)]) throws -> Void = { _ in }
  ) throws -> [FoundValue]? {
    var results: [FoundValue] = []
    let isComplete = try search(
      problems, groups: groups(problems), resumed: nil, onStep: onStep,
      onFound: { found in
        results += found.map(\.value)
        try onFound(found)
      }, onState: { _, _ in })
    return isComplete ? results : nil
  }

  /// The facts that are searched together, one group after another: they depend on the facts and the model alone, not
  /// on the machine, because the company that a fact is searched in decides how its sums are rounded.
  func groups(_ problems: [ValueProblem]) -> [Range<Int>] {
    let architecture = decoder.architecture
    var groups: [Range<Int>] = []
    while let start = groups.last?.upperBound ?? problems.indices.first, start < problems.count {
      let count = ValueSearchBatch.fitting(
        problems[start...], architecture, layers: architecture.layerCount - layer - 1, memoryBudget: memoryBudget)
      groups.append(start..<start + count)
    }
    return groups
  }

  /// - Parameters:
  ///   - groups: some of `groups(problems)`.
  ///   - resumed: where an earlier run was with the first of them; what belongs to one of another size is not used.
  ///   - onState: called before each `onStep` with the indices of the facts that are searched together, and where they
  ///     are.
  /// - Returns: whether all were found; false if the search was stopped.
  func search(
    _ problems: [ValueProblem], groups: [Range<Int>], resumed: ValueSearchState?, onStep: (ValueSearchProgress) -> Bool,
    onFound: ([(index: Int, value: FoundValue)]) throws -> Void,
    onState: (_ facts: Range<Int>, _ state: ValueSearchState) throws -> Void
  ) throws -> Bool {
    let count = groups.reduce(0) { $0 + $1.count }
    var foundCount = 0
    for (position, group) in groups.enumerated() {
      let batch = try firstBatch(Array(problems[group]))
      // Of a stopped batch no value is kept: the rest, searched in other company, would round differently, and the run
      // that goes on would not come to the values of an undisturbed one. Its state is: the batch goes on as it was.
      let found = try search(
        batch, resumed: position == 0 ? resumed : nil,
        onState: { state in
          try onState(group, state)
          return onStep(progress(state, foundBefore: foundCount, of: count))
        })
      guard let found else { return false }
      try onFound(zip(group, found).map { ($0, $1) })
      foundCount += group.count
    }
    return true
  }

  private func progress(_ state: ValueSearchState, foundBefore: Int, of count: Int) -> ValueSearchProgress {
    let active = Set(state.active)
    let steps = state.histories.indices.reduce(0) { $0 + (active.contains($1) ? state.step : settings.steps) }
    let mean = state.histories.reduce(0) { $0 + $1.last!.loss } / Double(state.factCount)
    return ValueSearchProgress(
      found: foundBefore + state.factCount - state.active.count, steps: foundBefore * settings.steps + steps,
      totalSteps: count * settings.steps, remark: "step \(state.step), mean loss \(formatLoss(mean))")
  }

  /// As many of the first problems as are searched together.
  func firstBatch(_ problems: [ValueProblem]) throws -> ValueSearchBatch {
    try Profile.measure("constant rows") {
      try ValueSearchBatch(decoder, problems: problems, layer: layer, site: site, memoryBudget: memoryBudget)
    }
  }

  /// - Parameter onState: called after each step; false stops.
  /// - Returns: for each fact of the batch its value; nil if `onState` said stop before all were found.
  private func search(
    _ batch: ValueSearchBatch, resumed: ValueSearchState?, onState: (ValueSearchState) throws -> Bool
  ) throws -> [FoundValue]? {
    var state = ValueSearchState(
      factCount: batch.factCount, size: decoder.architecture.hiddenSize, learningRate: settings.learningRate)
    if let resumed, resumed.factCount == batch.factCount {
      // The first evaluation, at zero, fixes the distribution that the KL term compares with.
      _ = try batch.evaluate(state.active, deltas: state.deltas, klFactor: settings.klFactor)
      state = resumed
    }
    while state.step < settings.steps, !state.active.isEmpty {
      try advance(&state, batch)
      guard try onState(state) else { break }
    }
    guard state.active.isEmpty else { return nil }
    return (0..<batch.factCount).map {
      FoundValue(initial: batch.initial[$0], delta: state.deltas[$0], steps: state.histories[$0])
    }
  }

  /// One step of all facts that are still searched.
  private func advance(_ state: inout ValueSearchState, _ batch: ValueSearchBatch) throws {
    let evaluations = try Profile.measure("steps") {
      try batch.evaluate(state.active, deltas: state.deltas, klFactor: settings.klFactor)
    }
    var continued: [Int] = []
    for (fact, evaluation) in zip(state.active, evaluations) {
      let initialNorm = norm(batch.initial[fact])
      let deltaNorm = norm(state.deltas[fact])
      let decay = settings.weightDecay * deltaNorm / (initialNorm * initialNorm)
      let loss = evaluation.negativeLogLikelihood + evaluation.divergence + decay
      guard loss.isFinite else { throw ErrataError.valueNotFinite(batch.problems[fact].label) }
      state.histories[fact].append(
        ValueSearchStep(
          loss: loss, negativeLogLikelihood: evaluation.negativeLogLikelihood, divergence: evaluation.divergence,
          weightDecay: decay, deltaNorm: deltaNorm))
      if loss < settings.stopLoss || state.step == settings.steps - 1 { continue }
      var gradient = evaluation.gradient
      if deltaNorm > 0 {
        let slope = Float(settings.weightDecay / (deltaNorm * initialNorm * initialNorm))
        for index in gradient.indices { gradient[index] += slope * state.deltas[fact][index] }
      }
      state.optimizers[fact].update(&state.deltas[fact], gradient: gradient)
      clamp(&state.deltas[fact], to: settings.clampNormFactor * initialNorm)
      continued.append(fact)
    }
    state.active = continued
    state.step += 1
  }

  private func clamp(_ delta: inout [Float], to largest: Double) {
    let length = norm(delta)
    guard length > largest else { return }
    let scale = Float(largest / length)
    for index in delta.indices { delta[index] *= scale }
  }

  private func formatLoss(_ loss: Double) -> String {
    // A diverging loss can be more than an Int counts.
    loss < 1e9 ? String(Double(Int((loss * 1000).rounded())) / 1000) : String(loss)
  }
}

/// The Euclidean norm, summed in binary64.
func norm(_ vector: [Float]) -> Double {
  vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
}
