import Facts
import LinearAlgebra
import MessagePassing
import PatchAlgebra
import Safetensors
import SecondMomentStatistics
import Tensors
import Transformer
import WeightPatch

/// Computes the edit batches of some facts on a model (ARCHITECTURE: four walks).
///
/// MEMIT and EMMET solve all facts as one batch per layer; ROME makes a batch of each fact, on the model that the
/// batches before it have edited.
public final class EditComputation {
  /// A batch and what the manifest says about it.
  public struct ComputedBatch: Sendable {
    public let batch: EditBatch
    public let description: Manifest.Batch
  }

  let model: LanguageModel
  let settings: EditSettings
  let templates: ContextTemplates
  let statistics: SecondMoments
  let storesKeys: Bool
  let tokenization: PromptTokenization
  let measurement: KeyMeasurement
  let weights: EditedWeights
  private let site: ValueSite
  /// What a down-projection's output is multiplied by on its way to where values are.
  private var outputScale: Double { site == .blockOutput ? Double(model.architecture.branchScale) : 1 }
  private var solvers: [Int: EditSolver]
  /// Those that hold the history's keys, and H^T.
  private var holding: [Int: (solver: EditSolver, keys: Matrix<Double>)] = [:]
  /// What the facts of a run must leave as it is.
  private(set) var history: EditHistory
  /// What a goal has chosen at the layers that were solved last.
  private(set) var lambdas: [Int: Double] = [:]
  private let protection: Protection?
  /// The subjects of the protection that the facts of a run do not ask something of, and their keys at the layers that
  /// were solved, h x d_in.
  private var protected: [PreparedFact] = []
  private var protectedKeys: [Int: Matrix<Float>] = [:]

  /// - Parameters:
  ///   - foundation: what the edit is computed on; its patches become the edit's parents.
  ///   - storesKeys: whether the batches carry the facts' keys, in float16.
  ///   - protection: what the edit leaves alone besides.
  ///   - previous: another computation with the same statistics and ridge, whose factorizations of C serve again.
  /// - Throws: an `ErrataError` if the layers do not fit the model or method, or the statistics do not.
  public init(
    on foundation: PatchedModel, settings: EditSettings, templates: ContextTemplates,
    statistics: SecondMoments, storesKeys: Bool = false, protection: Protection? = nil,
    sharingFactorsOf previous: EditComputation? = nil
  ) throws {
    let model = try foundation.model()
    try model.check(layers: settings.layers)
    if settings.method == .rome, settings.layers.count > 1 { throw ErrataError.oneLayerOnly("rome") }
    if protection != nil, settings.usesPublishedROME { throw ErrataError.publishedROMEHoldsNothing }
    // A share of the missing part, added to the stream by an earlier layer, would not arrive at the last layer's
    // down-projection.
    if model.architecture.normalizesDownOutput, settings.layers.count > 1 {
      throw ErrataError.oneLayerOnly(
        "\(settings.method.rawValue) on \(model.architecture.family), which normalizes what an edit changes,")
    }
    site = ValueSite(settings.method, model.architecture)
    self.model = model
    self.settings = settings
    self.templates = templates
    self.statistics = statistics
    history = EditHistory(without: statistics)
    solvers = previous?.solvers ?? [:]
    self.storesKeys = storesKeys
    self.protection = protection
    tokenization = PromptTokenization(model.tokenizer)
    measurement = KeyMeasurement(model.decoder)
    weights = try EditedWeights(layers: settings.layers, on: foundation)
    let digests = try settings.layers.map { layer in
      (layer, try foundation.knownDigests(of: model.decoder.editedTensor(layer)))
    }
    try statistics.check(
      weightDigests: Dictionary(uniqueKeysWithValues: digests), tokenizer: model.tokenizer.digest)
    // A mean of fewer outer products than rows is singular; better said now than after the search for values.
    for layer in settings.layers where settings.ridge == 0 && statistics.tokenCount < keyLength(layer) {
      throw notPositiveDefinite(layer: layer)
    }
  }

  /// - Parameters:
  ///   - facts: at least one.
  ///   - values: values that an earlier run found, by fact ID; they are not searched again.
  ///   - onStep: called while values are searched; false stops.
  ///   - onFound: called with values as they are found.
  /// - Returns: nil if `onStep` said stop.
  /// - Throws: an `ErrataError`.
  public func run(
    _ facts: [Manifest.Fact], values: [String: FoundValue] = [:],
    onStep: (ValueSearchProgress) -> Bool = { _ in true },
    onFound: ([(fact: String, value: FoundValue)]) throws -> Void = { _ in }
  ) throws -> [ComputedBatch]? {
    try withoutActuallyEscaping(onStep) { onStep in
      try withoutActuallyEscaping(onFound) { onFound in
        try run(facts, Hooks(values: values, resumed: [], onStep: onStep, onFound: onFound) { _, _ in })
      }
    }
  }

  /// The length of a value.
  var valueSize: Int { model.architecture.hiddenSize }

  /// What a run is given and tells.
  struct Hooks {
    let values: [String: FoundValue]
    /// Where earlier runs were with some facts, searched together.
    let resumed: [ValueFile.Search]
    /// Who searches values of the same facts.
    var group = ProcessGroup.alone
    /// Called with the number of facts that have no value, and of all, where they are not to be searched.
    var whenMissing: ((_ count: Int, _ of: Int) throws -> Void)? = nil
    let onStep: (ValueSearchProgress) -> Bool
    let onFound: ([(fact: String, value: FoundValue)]) throws -> Void
    /// Called before each `onStep` with the facts that are searched together, and where they are.
    let onState: (_ facts: [String], ValueSearchState) throws -> Void
  }

  /// Searches the values of a part of the facts: of whole groups, so that they are those that one run would find. What
  /// is found goes to the hooks.
  ///
  /// - Parameter part: nil for all.
  /// - Returns: the values of the part's facts, by fact ID; nil if `onStep` said stop.
  /// - Throws: an `ErrataError`, also for ROME, whose facts are searched one on top of another.
  func search(_ part: Part?, of facts: [Manifest.Fact], _ hooks: Hooks) throws -> [String: FoundValue]? {
    try checkParts()
    let prepared = try Profile.measure("tokens") { try facts.map(prepare) }
    try hold(besides: facts)
    try weights.withdraw()
    let independent = try independentFacts(prepared)
    guard let values = try search(independent, after: 0, of: nil, part, hooks) else { return nil }
    return Dictionary(
      uniqueKeysWithValues: zip(independent, values).compactMap { fact, value in
        value.map { (fact.fact.identifier, $0) }
      })
  }

  func run(_ facts: [Manifest.Fact], _ hooks: Hooks) throws -> [ComputedBatch]? {
    if hooks.group.count > 1 { try checkParts() }
    // Everything that can be wrong with the facts is found before anything is computed.
    let prepared = try Profile.measure("tokens") { try facts.map(prepare) }
    try hold(besides: facts)
    try weights.withdraw()
    switch settings.method {
    case .memit, .emmet:
      let independent = try independentFacts(prepared)
      guard let found = try search(independent, after: 0, of: nil, nil, hooks) else { return nil }
      return [try solve(independent, found.map { $0! })]
    case .rome:
      var batches: [ComputedBatch] = []
      for (index, fact) in prepared.enumerated() {
        // A later fact's value depends on the earlier edits, so an earlier run's serve only in the same order.
        guard let found = try search([fact], after: index, of: prepared.count, nil, hooks) else { return nil }
        batches.append(try solveROME(fact, found[0]!))
      }
      return batches
    }
  }

  private func checkParts() throws {
    guard settings.method != .rome else { throw ErrataError.romeHasNoParts }
  }

  /// Sets the history for an edit of some facts. Published ROME knows none.
  func hold(besides facts: [Manifest.Fact]) throws {
    holding = [:]
    lambdas = [:]
    protectedKeys = [:]
    protected = try protection?.sparing(facts).map(prepareSubject) ?? []
    guard settings.holdsEarlierFacts, !settings.usesPublishedROME else { return }
    history = EditHistory(
      of: weights.foundation.carriedPatches, editing: Set(settings.layers.map(model.decoder.editedTensor)),
      statistics: statistics, facts: facts)
  }

  // MARK: - Values

  struct PreparedFact {
    let fact: Manifest.Fact
    let problem: ValueProblem
  }

  /// The contexts of a protected subject.
  private func prepareSubject(_ subject: Manifest.Fact) throws -> PreparedFact {
    let problem = try ValueProblem(subject, templates, tokenization)
    let length = problem.prompts.map { $0.lookup + 1 }.max() ?? 0
    guard length <= model.decoder.maximumSequenceLength else {
      throw ErrataError.promptTooLong(subject.label, length, maximum: model.decoder.maximumSequenceLength)
    }
    return PreparedFact(fact: subject, problem: problem)
  }

  private func prepare(_ fact: Manifest.Fact) throws -> PreparedFact {
    guard !fact.targetNew.trimmingCharacters(in: .whitespaces).isEmpty else {
      throw ErrataError.emptyField(fact.label, "the new target")
    }
    let problem = try ValueProblem(fact, templates, tokenization)
    // The target's last token is scored but never embedded.
    try model.decoder.check(tokens: problem.target)
    let length = (problem.prompts.map(\.tokens.count).max() ?? 0) + problem.target.count - 1
    guard length <= model.decoder.maximumSequenceLength else {
      throw ErrataError.promptTooLong(fact.label, length, maximum: model.decoder.maximumSequenceLength)
    }
    return PreparedFact(fact: fact, problem: problem)
  }

  /// - Parameters:
  ///   - done: how many facts of the run were searched before these.
  ///   - count: of all facts of the run; nil if these are all.
  ///   - part: whose groups are searched; nil for all.
  /// - Returns: a value for each fact, nil for those that are not the part's; nil as a whole if `onStep` said stop.
  private func search(
    _ facts: [PreparedFact], after done: Int, of count: Int?, _ part: Part?, _ hooks: Hooks
  ) throws -> [FoundValue?]? {
    let identifiers = facts.map(\.fact.identifier)
    let valueSearch = ValueSearch(
      model.decoder, layer: settings.layers.last!, site: site, settings: settings)
    let problems = facts.map(\.problem)
    let groups = valueSearch.groups(problems).enumerated().filter { part?.takes($0.offset) ?? true }.map(\.element)
    var values = [FoundValue?](repeating: nil, count: facts.count)
    for index in groups.joined() { values[index] = hooks.values[identifiers[index]] }
    if hooks.group.count > 1 { share(&values, hooks.group) }
    let missing = groups.filter { group in group.contains { values[$0] == nil } }
    if let whenMissing = hooks.whenMissing, !missing.isEmpty {
      try whenMissing(values.count { $0 == nil }, values.count)
    }
    let mine = groups.reduce(0) { $0 + $1.count }
    let before = done + mine - missing.reduce(0) { $0 + $1.count }
    // The groups of facts are handed out one by one: a process that is slow takes fewer.
    let taken = SharedCounter(hooks.group)
    let found = SharedCounter(hooks.group)
    while case let position = taken.add(1), position < missing.count {
      let group = missing[position]
      let names = group.map { identifiers[$0] }
      let isComplete = try Profile.measure("value search") {
        try valueSearch.search(
          problems, groups: [group], resumed: hooks.resumed.first { $0.facts == names }?.state,
          onStep: { progress in
            var progress = progress
            let before = before + found.value
            progress.found += before
            progress.steps += before * settings.steps
            progress.totalSteps = (count ?? mine) * settings.steps
            return hooks.onStep(progress)
          },
          onFound: { batch in
            for (index, value) in batch { values[index] = value }
            try hooks.onFound(batch.map { (identifiers[$0.index], $0.value) })
          },
          onState: { _, state in try hooks.onState(names, state) })
      }
      guard isComplete else { return nil }
      found.add(group.count)
    }
    if hooks.group.count > 1 { share(&values, hooks.group) }
    taken.close()
    found.close()
    return values
  }

  /// Gives every process of a group what one of them has. Collective.
  private func share(_ values: inout [FoundValue?], _ group: ProcessGroup) {
    for bytes in group.exchange(ValueMessage.encode(values)) {
      for (index, value) in ValueMessage.decode(bytes, size: valueSize) where values[index] == nil {
        values[index] = value
      }
    }
  }

  // MARK: - Batches

  /// MEMIT's distribution over layers (section 4.3): each layer takes its share of what is still missing at the last,
  /// measured with the earlier layers' exact, rounded results in place.
  private func solve(_ facts: [PreparedFact], _ values: [FoundValue]) throws -> ComputedBatch {
    let layers = settings.layers
    var tensors: [LowRankFactors] = []
    var figures: [ByteString: Manifest.TensorFigures] = [:]
    for (position, layer) in layers.enumerated() {
      let keys = try keyMatrix(facts, layer: layer, form: .meanOfGroupMeans)
      let outputs = try Profile.measure("outputs") {
        try measurement.outputs(facts.map { $0.problem.prompts[0] }, layer: layers.last!, site: site)
      }
      let residuals = residualMatrix(
        values, outputs, share: 1 / Double(layers.count - position) / outputScale)
      let solution = try solveSystem(facts, keys: keys, residuals: residuals, layer: layer)
      let (factors, tensorFigures) = try store(solution, keys: keys, residuals: residuals, layer: layer)
      tensors.append(factors)
      figures[factors.name] = tensorFigures
      if position < layers.count - 1 { try weights.putInPlace(factors) }
    }
    return try finish(
      EditBatch(tensors: tensors), facts: facts, values: values, figures: figures, keyForm: .meanOfGroupMeans)
  }

  private func solveROME(_ fact: PreparedFact, _ value: FoundValue) throws -> ComputedBatch {
    let layer = settings.layers[0]
    let measured = try measurement.keys([fact.problem.prompts], layer: layer)[0]
    let meanKey = row(KeyForm.flatMean.combine(measured))
    let bareKey = row(measured.row(0).map(Double.init))
    let key = settings.usesPublishedROME ? bareKey : meanKey
    // The perceptron's output is linear in the key: the output for the mean key is the mean output.
    let output = try model.decoder.perceptronOutput(
      ofKeys: key.narrowed(), layer: layer)
    let residual = residualMatrix([value], output, share: 1)
    let solution: EditSolver.Solution
    if settings.usesPublishedROME {
      solution = try solver(layer).solvePublishedROME(meanKey: meanKey, bareKey: bareKey, residual: residual)
    } else {
      solution = try solveSystem([fact], keys: key, residuals: residual, layer: layer)
    }
    let (factors, figures) = try store(solution, keys: key, residuals: residual, layer: layer)
    return try finish(
      EditBatch(tensors: [factors]), facts: [fact], values: [value], figures: [factors.name: figures],
      keyForm: .flatMean)
  }

  private func finish(
    _ batch: EditBatch, facts: [PreparedFact], values: [FoundValue],
    figures: [ByteString: Manifest.TensorFigures], keyForm: KeyForm
  ) throws -> ComputedBatch {
    let digest = batch.digest()
    try weights.add(batch, digest: digest)
    let described = zip(facts, values).map { fact, value in
      var described = fact.fact
      described.outcome = Manifest.Outcome(steps: value.steps.count - 1, loss: value.steps.last?.loss)
      return described
    }
    return ComputedBatch(
      batch: batch,
      description: describe(digest: digest, facts: described, figures: figures, keyForm: keyForm))
  }

  // MARK: - Matrices

  /// K^T, E x d_in.
  private func keyMatrix(_ facts: [PreparedFact], layer: Int, form: KeyForm) throws -> Matrix<Double> {
    try Profile.measure("keys") {
      let rows = try measurement.keys(facts.map(\.problem.prompts), layer: layer).map(form.combine)
      return Matrix(rows: rows.count, columns: rows[0].count, elements: rows.flatMap { $0 })
    }
  }

  /// R^T, E x d_out: a share of what each output is short of its value.
  private func residualMatrix(
    _ values: [FoundValue], _ outputs: Matrix<Float>, share: Double
  ) -> Matrix<Double> {
    var residuals = Matrix<Double>(uninitializedRows: values.count, columns: outputs.columns)
    for (fact, value) in values.enumerated() {
      let target = value.value
      for output in 0..<outputs.columns {
        residuals[fact, output] = (Double(target[output]) - Double(outputs[fact, output])) * share
      }
    }
    return residuals
  }

  private func row(_ elements: [Double]) -> Matrix<Double> {
    Matrix(rows: 1, columns: elements.count, elements: elements)
  }

  private func solver(_ layer: Int) throws -> EditSolver {
    if let solver = solvers[layer] { return solver }
    let (expected, rows) = (keyLength(layer), try statistics.keyLength(layer: layer))
    guard rows == expected else {
      throw ErrataError.notStatistics(statistics.path, "layer \(layer) has \(rows) rows, not \(expected)")
    }
    // Large models' factors take half a gigabyte each: those of other layers give way.
    let expectedBytes = PackedTriangle.count(rows) * MemoryLayout<Double>.stride
    if solvers.values.reduce(expectedBytes, { $0 + $1.byteCount }) > Self.solverBudget { solvers = [:] }
    let kept = try Profile.measure("read the factor of C") {
      try SecondMomentFactors(of: statistics, ridge: settings.ridge)?.factor(layer: layer)
    }
    do {
      let solver =
        try kept.map { EditSolver($0) }
        ?? Profile.measure("factor C") {
          // Large: nobody else holds it.
          var secondMoment: PackedTriangle? = try statistics.triangle(layer: layer)
          return try EditSolver(secondMoment: secondMoment.take()!, ridge: settings.ridge)
        }
      solvers[layer] = solver
      return solver
    } catch is Cholesky.NotPositiveDefinite {
      throw notPositiveDefinite(layer: layer)
    }
  }

  /// M, and which keys are held; nil for C^-1 without any.
  var metric: Manifest.Metric? {
    var held = history.metric?.held ?? []
    if let protection, !protected.isEmpty {
      let keys = protectedKeys.map { (model.decoder.editedTensor($0.key), $0.value) }
      held.append(
        Manifest.Held(
          protected: Protection.digest(Dictionary(uniqueKeysWithValues: keys)), keyCount: protected.count,
          mu: .same(1 / protection.weight)))
    }
    return held.isEmpty ? nil : Manifest.Metric(kind: .secondMoments, held: held)
  }

  /// The solver of a layer that holds the keys of the history and of what is protected, and H^T, h x d_in; nil if there
  /// are none.
  private func heldSolver(_ layer: Int) throws -> (solver: EditSolver, keys: Matrix<Double>?) {
    let solver = try solver(layer)
    guard history.metric != nil || !protected.isEmpty else { return (solver, nil) }
    if let known = holding[layer] { return known }
    var (keys, slacks) = try Profile.measure("held keys") {
      try history.keys(ofTensor: model.decoder.editedTensor(layer), layer: layer, keyLength: keyLength(layer))
    }
    if let protection, !protected.isEmpty {
      let own = try Profile.measure("protected keys") { try protectedKeys(layer) }
      keys = Matrix(stacking: [keys, own.widened()], columns: keyLength(layer))
      slacks += Array(repeating: 1 / protection.weight, count: own.rows)
    }
    let made: EditSolver
    do {
      made = try Profile.measure("hold keys") { try solver.holding(keys: keys, slacks: slacks) }
    } catch is Cholesky.NotPositiveDefinite {
      throw ErrataError.heldKeysAlike(keys.rows)
    }
    holding[layer] = (made, keys)
    return (made, keys)
  }

  /// Measured with the edits of earlier layers in place, as the facts' are.
  private func protectedKeys(_ layer: Int) throws -> Matrix<Float> {
    if let known = protectedKeys[layer] { return known }
    let form: KeyForm = settings.method == .rome ? .flatMean : .meanOfGroupMeans
    var elements: [Float] = []
    // Of thousands of subjects in twenty contexts only the means are kept.
    let step = 64
    for start in stride(from: 0, to: protected.count, by: step) {
      let prompts = protected[start..<min(start + step, protected.count)].map(\.problem.prompts)
      for keys in try measurement.keys(prompts, layer: layer) { elements += form.combine(keys).map(Float.init) }
    }
    let keys = Matrix(rows: protected.count, columns: keyLength(layer), elements: elements)
    protectedKeys[layer] = keys
    return keys
  }

  private static let solverBudget = 1 << 30

  private func notPositiveDefinite(layer: Int) -> ErrataError {
    ErrataError.notPositiveDefinite(
      layer: layer, tokens: statistics.tokenCount, keyLength: keyLength(layer))
  }

  private func keyLength(_ layer: Int) -> Int { model.architecture.layers[layer].intermediateSize }

  /// The facts that can be solved together. Asked before values are searched, because that takes long.
  private func independentFacts(_ facts: [PreparedFact]) throws -> [PreparedFact] {
    // Where a goal chooses the slack, it is not 0 for keys that depend on one another.
    guard settings.slackGoal == nil, settings.slack(factCount: facts.count) == 0 else { return facts }
    let layer = settings.layers[0]
    let dependent = try heldSolver(layer).solver.dependentFacts(
      try keyMatrix(facts, layer: layer, form: .meanOfGroupMeans))
    guard dependent.isEmpty || settings.dropsDependentFacts else {
      throw ErrataError.dependentFacts(dependent.map { facts[$0].fact.label })
    }
    return facts.indices.filter { !dependent.contains($0) }.map { facts[$0] }
  }

  private func solveSystem(
    _ facts: [PreparedFact], keys: Matrix<Double>, residuals: Matrix<Double>, layer: Int
  ) throws -> EditSolver.Solution {
    let (solver, held) = try heldSolver(layer)
    let (system, directions) = Profile.measure("solve") { solver.system(keys: keys, residuals: residuals) }
    let lambda = try settings.slackGoal.map { try self.lambda($0, system, directions, held, layer: layer) }
    lambdas[layer] = lambda
    do {
      return try Profile.measure("solve") { () throws(Cholesky.NotPositiveDefinite) in
        EditSolver.Solution(
          left: try system.left(slack: .same(lambda ?? settings.slack(factCount: facts.count))), right: directions,
          gram: system.gram)
      }
    } catch {
      throw ErrataError.dependentFacts([facts[min(error.order, facts.count) - 1].fact.label])
    }
  }

  /// The lambda that meets a goal at a layer.
  ///
  /// - Parameter held: H^T, h x d_in.
  private func lambda(
    _ goal: SlackGoal, _ system: GramSystem, _ directions: Matrix<Double>, _ held: Matrix<Double>?, layer: Int
  ) throws -> Double {
    try Profile.measure("choose lambda") {
      let ridge = try statistics.ridge(settings.ridge, layer: layer)
      let text = textGram(
        system.gram, directions, ridge: ridge, held.map { directions.multiplied(by: $0, .transposed) },
        mus: metric?.heldSlacks ?? [], using: .blas)
      // B is exact here: there is no ridge that G has no room for.
      guard let text, let spectrum = try? SlackSpectrum(system, text: text) else {
        throw ErrataError.modelNotFinite(model.checkpoint.path)
      }
      guard let lambda = goal.lambda([spectrum], outputPower: statistics.outputPowers[layer]) else {
        throw ErrataError.statisticsWithoutOutputPower(statistics.path, layer: layer)
      }
      return lambda
    }
  }

  // MARK: - Storage

  private func store(
    _ solution: EditSolver.Solution, keys: Matrix<Double>, residuals: Matrix<Double>, layer: Int
  ) throws -> (LowRankFactors, Manifest.TensorFigures) {
    let choice = try Profile.measure("choose factor types") {
      try chooseStorage(
        left: solution.left, right: solution.right, keys: keys, residuals: residuals, types: settings.factorTypes,
        using: .blas)
    }
    let name = model.decoder.editedTensor(layer)
    let held = try heldSolver(layer).keys
    let factors = LowRankFactors(
      name: name, isTransposed: model.architecture.storesTransposed, left: choice.left, right: choice.right,
      gram: solution.gram,
      keys: storesKeys ? StoredFactor(keys.narrowed(), dtype: .f16, facts: .rows) : nil,
      heldProduct: held.map { solution.right.multiplied(by: $0, .transposed) })
    let weightNorm = try weights.baseNorm(of: name)
    let ridge = try statistics.ridge(settings.ridge, layer: layer)
    var figures = Manifest.TensorFigures(
      layer: layer, deltaNorm: factors.deltaNorm(using: .blas), weightNorm: weightNorm, storageError: choice.error,
      preservation: factors.preservation(ridge: ridge, metric: metric, using: .blas),
      ridge: ridge > 0 ? ridge : nil, outputPower: statistics.outputPowers[layer])
    if settings.layers.count > 1 { figures.slack = lambdas[layer].map { .same($0) } }
    return (factors, figures)
  }
}
