import LinearAlgebra
import SecondMomentStatistics
import Tensors
import WeightPatch

extension PatchStack {
  /// All facts solved as one batch per layer, from the residuals that the patches' factors give and the Gram matrix of
  /// all their keys:
  ///
  ///     A = [R_1 R_2 ...] (G + lambda I)^-1        B = [B_1; B_2; ...]
  ///
  /// For one layer that is the edit of all facts at once, with the values that were found for them. For several layers
  /// it is exact per layer, given the residuals that were measured while each patch's own edits stood in the layers
  /// before.
  ///
  /// Tensors that the same facts edit make one batch.
  ///
  /// - Parameters:
  ///   - slack: nil for the lambda that all batches record.
  ///   - statistics: second moments, where patches do not carry keys.
  /// - Throws: an `ErrataError`: no slack is agreed on; a batch cannot be solved again; keys are missing, do not fit,
  ///   or depend on one another.
  public func resolved(
    _ settlement: StackSettlement, slack: Slack? = nil, statistics: SecondMoments? = nil
  ) throws -> StackedPatch {
    let excluded = settlement.dropped.union(settlement.superseded)
    let kept = members.indices.map { member in
      members[member].description.facts.indices.filter { !excluded.contains(Place(member: member, fact: $0)) }
    }
    try checkSolvable(kept, slack)
    let lambdas = Set(members.indices.filter { !kept[$0].isEmpty }.map { members[$0].description.method.lambda })
    guard slack != nil || lambdas.count == 1 else { throw ErrataError.slackNotAgreed(lambdas.sorted()) }

    // By the members whose facts they hold.
    var groups: [[Int]: [JointTensor]] = [:]
    for name in tensorNames {
      let edited = try editedTensor(name, statistics: statistics)
      let holders = edited.members.filter { !kept[$0].isEmpty }
      guard !holders.isEmpty else { continue }
      let factCount = holders.reduce(0) { $0 + kept[$1].count }
      let lambda = slack?.lambda(factCount: factCount) ?? lambdas.first!
      groups[holders, default: []].append(try solve(edited, kept, lambda: lambda))
    }
    let external = members.reduce(into: Set<Digest>()) { $0.formUnion($1.computedOn) }
      .subtracting(members.map(\.digest))
    return StackedPatch(
      self,
      batches: groups.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { holders, tensors in
        var description = describe(holders, kept, slack)
        description.computedOn = external.sorted()
        description.tensors = Dictionary(uniqueKeysWithValues: tensors.map { ($0.factors.name, $0.figures) })
        let layers = tensors.compactMap(\.figures.layer)
        if layers.count == tensors.count { description.method.layers = layers.sorted() }
        return (EditBatch(tensors: tensors.map(\.factors)), description)
      })
  }

  private func path(_ member: Int) -> String { files[members[member].files[0]].path }

  /// - Throws: an `ErrataError` for a batch without a system, or with one of another kind.
  private func checkSolvable(_ kept: [[Int]], _ slack: Slack?) throws {
    var metric: (statistics: Digest?, ridge: Double, member: Int)?
    var first: (kind: Manifest.Metric, member: Int)?
    for (index, member) in members.enumerated() {
      let settings = member.description.method.hyperparameters
      guard member.description.terms == .facts else { throw ErrataError.batchOfComponents(path(index), member.index) }
      if let bare = member.batch.tensors.first(where: { $0.gram == nil }) {
        throw ErrataError.batchWithoutGram(path(index), member.index, bare.name)
      }
      if settings.keyForm == Manifest.Hyperparameters.publishedROMEKeyForm {
        throw ErrataError.publishedROME(path(index), member.index)
      }
      guard !kept[index].isEmpty else { continue }
      let own = member.description
      var kind = own.metric ?? Manifest.Metric(kind: .secondMoments)
      guard kind.held.allSatisfy({ canBeSolved($0, kind) }) else {
        throw ErrataError.stackedBatchHolds(path(index), member.index)
      }
      kind.held = []
      guard kind.kind == .secondMoments || member.batch.tensors.allSatisfy({ $0.keys != nil })
      else { throw ErrataError.metricWithoutKeys(path(index), member.index) }
      let hasOwnSlacks = own.method.lambdas != nil || own.tensors.values.contains { $0.slack != nil }
      guard slack != nil || !hasOwnSlacks else { throw ErrataError.stackedBatchHasSlacks(path(index), member.index) }
      if let first, first.kind != kind { throw ErrataError.metricsDiffer(path(first.member), path(index)) }
      first = first ?? (kind, index)
      let (statistics, ridge) = (member.description.statistics?.digest, settings.ridge ?? 0)
      if let metric, metric.ridge != ridge || (metric.statistics ?? statistics) != (statistics ?? metric.statistics) {
        throw ErrataError.secondMomentsDiffer(path(metric.member), path(index))
      }
      if metric?.statistics == nil { metric = (statistics, ridge, index) }
    }
  }

  /// Whether what a batch holds is a part of the same stack, so that it is solved with it instead.
  private func canBeSolved(_ held: Manifest.Held, _ metric: Manifest.Metric) -> Bool {
    metric.kind == .secondMoments && members.contains { $0.digest == held.batch }
      && held.mu.values(count: held.keyCount).allSatisfy { $0 > 0 }
  }

  private struct JointTensor {
    let factors: LowRankFactors
    let figures: Manifest.TensorFigures
  }

  private func solve(_ edited: EditedTensor, _ allKept: [[Int]], lambda: Double) throws -> JointTensor {
    let kept = edited.members.map { allKept[$0] }
    let joint: JointSystem
    do {
      joint = try JointSystem(edited.tensor, keeping: kept)
    } catch {
      throw ErrataError.keysMissing(path(edited.members[error.parts.0]), path(edited.members[error.parts.1]))
    }
    let system = joint.system
    let facts = zip(edited.members, kept).flatMap { member, kept in kept.map { Place(member: member, fact: $0) } }
    if lambda == 0 {
      // Blocks between patches are as exact as what is stored.
      let tolerance = max(1e-10, 10 * (edited.tensor.parts.compactMap(\.inexactness).max() ?? 0))
      let dependent = dependentFacts(inGram: system.gram, tolerance: edited.members.count > 1 ? tolerance : 1e-10)
      guard dependent.isEmpty else {
        throw ErrataError.dependentStackedFacts(dependent.map { fact(at: facts[$0]) }, lambda: lambda)
      }
    }
    let left: Matrix<Double>
    do {
      left = try system.left(slack: .same(lambda))
    } catch {
      throw ErrataError.dependentStackedFacts([fact(at: facts[error.order - 1])], lambda: lambda)
    }

    let parts = try zip(edited.members, zip(edited.directions, kept)).map { member, part in
      guard let directions = part.0 else { throw ErrataError.stackedBatchHolds(path(member), members[member].index) }
      return directions.facts(at: part.1)
    }
    let right = StoredFactor.joined(parts).facts(
      at: joint.directions)
    let stored = zip(edited.factors, kept).map { factors, kept in factors.keys.map { $0.facts(at: kept) } }
    let keys = stored.contains { $0 == nil } ? nil : StoredFactor.joined(stored.map { $0! })
    let (factors, error) = try system.factors(
      solution: left, right: right, keys: keys, name: edited.name, isTransposed: edited.factors[0].isTransposed)
    let known = edited.members.map { members[$0].description.tensors[edited.name] ?? Manifest.TensorFigures() }
    // One metric has one ridge, also where an older patch records its share only.
    let ridges = Set(known.compactMap(\.ridge))
    var figures = Manifest.TensorFigures(commonTo: known)
    figures.ridge = ridges.count == 1 ? ridges.first : nil
    // As the joint batch will say of itself.
    var solvedAs = members[edited.members[0]].description
    solvedAs.method.slack = .same(lambda)
    solvedAs.metric = solvedAs.metric?.ofJointSolution
    solvedAs.tensors = [edited.name: figures]
    figures.update(of: factors, in: solvedAs)
    figures.storageError = error
    return JointTensor(factors: factors, figures: figures)
  }

  /// What the manifest says of the joint batch: what its members agree on.
  private func describe(_ holders: [Int], _ kept: [[Int]], _ slack: Slack?) -> Manifest.Batch {
    let descriptions = holders.map { members[$0].description }
    let methods = descriptions.map(\.method)
    let facts = holders.flatMap { member in kept[member].map { fact(at: Place(member: member, fact: $0)) } }
    var method = Manifest.Method(commonTo: methods)
    // ROME has one fact; with more, its constraint is EMMET's.
    if facts.count > 1 { method.name = methods.allSatisfy { $0.name == "memit" } ? "memit" : "emmet" }
    if !methods.allSatisfy({ $0.layers == method.layers }) { method.layers = Set(methods.flatMap(\.layers)).sorted() }
    slack?.update(&method, factCount: facts.count)
    let statistics = descriptions.map { $0.statistics ?? Manifest.Statistics() }
    var batch = Manifest.Batch(
      method: method, facts: facts,
      statistics: statistics.allSatisfy { $0 == Manifest.Statistics() }
        ? nil
        : Manifest.Statistics(commonTo: statistics))
    batch.metric = descriptions[0].metric?.ofJointSolution
    return batch
  }
}

extension Manifest.Metric {
  /// That of a batch which solves what was held and what held it as one; nil for C^-1.
  fileprivate var ofJointSolution: Manifest.Metric? {
    kind == .secondMoments ? nil : Manifest.Metric(kind: kind, energy: energy)
  }
}

extension StoredFactor {
  /// The rows of several factors, one after another: in the bytes that they are stored in if those are of one type,
  /// else in float32, which holds the values of all.
  ///
  /// - Parameter factors: at least one, with facts along the rows and finite values.
  static func joined(_ factors: [StoredFactor]) -> StoredFactor {
    let rows = factors.reduce(0) { $0 + $1.rows }
    let first = factors[0]
    guard factors.allSatisfy({ $0.dtype == first.dtype }) else {
      let values = factors.flatMap { $0.values(facts: .rows)!.elements }
      return StoredFactor(
        Matrix(rows: rows, columns: first.columns, elements: values), dtype: .f32, facts: .rows)
    }
    let isScaled = factors.contains { $0.exponents != nil }
    return StoredFactor(
      dtype: first.dtype, rows: rows, columns: first.columns, bytes: factors.flatMap(\.bytes),
      exponents: isScaled ? factors.flatMap { $0.exponents ?? Array(repeating: 0, count: $0.rows) } : nil)
  }
}
