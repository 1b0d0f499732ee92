import Dispatch
import Foundation
import Safetensors
import Tensors
import WeightPatch

/// The values that an unfinished edit has found, and where its search is, kept beside its output so that the same
/// command goes on from there.
///
/// A safetensors file: for each fact that is found the tensors `<fact id>.initial` and `<fact id>.delta`, for each that
/// is searched `<fact id>.state.delta`, `.state.first` and `.state.second` (Adam's moments), all F32 and hidden size
/// long; in `__metadata__` the run's identity, the losses, and the state's numbers.
public final class ValueArchive {
  private static let metadataKey: ByteString = "errata.values"
  /// In nanoseconds: where a search is, is written no more often.
  private static let interval: UInt64 = 3_000_000_000
  public let path: String
  private var identity: Digest?
  public private(set) var values: [String: FoundValue] = [:]
  /// The facts that were searched together when the run ended, and where they were.
  private(set) var search: (facts: [String], state: ValueSearchState)?
  private var lastWritten = DispatchTime.now().uptimeNanoseconds

  /// - Parameter outputPath: the patch that is being computed.
  public init(outputPath: String) {
    path = outputPath + ".partial"
  }

  /// Reads what an earlier run left; that of a run with other settings is not used, and will be overwritten.
  ///
  /// - Parameters:
  ///   - identity: what values depend on, see `EditComputation.valueIdentity`.
  ///   - learningRate: of the search.
  /// - Throws: an `ErrataError` if the file is damaged.
  func open(_ identity: Digest, learningRate: Double) throws {
    self.identity = identity
    values = [:]
    search = nil
    guard FileManager.default.fileExists(atPath: path) else { return }
    do {
      try read(identity, learningRate)
    } catch let error as ErrataError where error.kind == .damagedInput {
      throw ErrataError.partialDamaged(path)
    }
  }

  private func read(_ identity: Digest, _ learningRate: Double) throws {
    let file = try SafetensorsFile(path: path)
    guard let text = file.header.metadata[Self.metadataKey], let json = try? JSON.parse(text.bytes),
      json["identity"]?.stringValue == identity.description, let steps = json["steps"]?.objectValue
    else { return }
    func vector(_ name: String) throws -> [Float] { try file.tensor(named: ByteString(name)).matrix().elements }
    for (fact, losses) in steps.members {
      values[fact.description] = FoundValue(
        initial: try vector("\(fact).initial"), delta: try vector("\(fact).delta"), steps: Self.steps(losses))
    }
    guard let member = json["search"], let facts = member["facts"]?.arrayValue?.compactMap(\.stringValue),
      let step = member["step"]?.integerValue, let active = member["active"]?.arrayValue?.compactMap(\.integerValue),
      let updates = member["updates"]?.arrayValue?.compactMap(\.integerValue),
      let histories = member["histories"]?.arrayValue, updates.count == facts.count, histories.count == facts.count,
      active.allSatisfy(facts.indices.contains), zip(active, active.dropFirst()).allSatisfy(<), step >= 0
    else { return }
    var state = ValueSearchState(factCount: 0, size: 0, learningRate: learningRate)
    state.step = step
    state.active = active
    state.histories = histories.map(Self.steps)
    for (fact, updates) in zip(facts, updates) {
      state.deltas.append(try vector("\(fact).state.delta"))
      state.optimizers.append(
        AdamOptimizer(
          learningRate: learningRate, firstMoment: try vector("\(fact).state.first"),
          secondMoment: try vector("\(fact).state.second"), step: updates))
    }
    search = (facts, state)
  }

  private static func steps(_ json: JSON) -> [ValueSearchStep] {
    (json.arrayValue ?? []).compactMap { element in
      let numbers = (element.arrayValue ?? []).compactMap(\.doubleValue)
      guard numbers.count == 5 else { return nil }
      return ValueSearchStep(
        loss: numbers[0], negativeLogLikelihood: numbers[1], divergence: numbers[2], weightDecay: numbers[3],
        deltaNorm: numbers[4])
    }
  }

  private static func json(_ steps: [ValueSearchStep]) -> JSON {
    .array(
      steps.map {
        .array([$0.loss, $0.negativeLogLikelihood, $0.divergence, $0.weightDecay, $0.deltaNorm].map { .double($0) })
      })
  }

  /// Adds values and writes the file anew.
  ///
  /// - Precondition: it is open.
  func append(_ found: [(fact: String, value: FoundValue)]) throws {
    guard !found.isEmpty else { return }
    for (fact, value) in found { values[fact] = value }
    search = nil
    try write()
  }

  /// Takes down where the search of some facts is; the file is written at once if that is asked for, else every few
  /// seconds.
  ///
  /// - Precondition: it is open.
  func keep(_ state: ValueSearchState, of facts: [String], atOnce: Bool) throws {
    search = (facts, state)
    if atOnce || DispatchTime.now().uptimeNanoseconds - lastWritten >= Self.interval { try write() }
  }

  private func write() throws {
    var steps = JSONObject()
    var tensors: [ByteString: [Float]] = [:]
    for (fact, value) in values {
      steps[ByteString(fact)] = Self.json(value.steps)
      tensors[ByteString("\(fact).initial")] = value.initial
      tensors[ByteString("\(fact).delta")] = value.delta
    }
    var metadata = JSONObject(["identity": JSON(identity!.description), "steps": .object(steps)])
    if let (facts, state) = search {
      for (index, fact) in facts.enumerated() {
        tensors[ByteString("\(fact).state.delta")] = state.deltas[index]
        tensors[ByteString("\(fact).state.first")] = state.optimizers[index].firstMoment
        tensors[ByteString("\(fact).state.second")] = state.optimizers[index].secondMoment
      }
      metadata["search"] = [
        "facts": .array(facts.map { JSON($0) }), "step": .integer(state.step),
        "active": .array(state.active.map { .integer($0) }),
        "updates": .array(state.optimizers.map { .integer($0.step) }),
        "histories": .array(state.histories.map(Self.json)),
      ]
    }
    let writer = try SafetensorsWriter(
      path: path, tensors: tensors.map { TensorDeclaration(name: $0, dtype: .f32, shape: [$1.count]) },
      metadata: [Self.metadataKey: ByteString(JSON.object(metadata).serialized())])
    for tensor in writer.header.tensors {
      try tensors[tensor.name]!.withUnsafeBytes { try writer.write($0, of: tensor.name) }
    }
    try writer.commit()
    lastWritten = DispatchTime.now().uptimeNanoseconds
  }

  /// Removes the file: the edit is done.
  public func remove() {
    unlink(path)
  }
}

extension EditComputation {
  /// SHA-256 over everything that a fact's value depends on: model, templates and the settings of the search; for ROME
  /// also the facts, because each is searched on the model that those before it have edited.
  public func valueIdentity(_ facts: [Manifest.Fact]) throws -> Digest {
    let base = try describeBase()
    let texts =
      [
        "\(base.configuration!)", "\(base.tokenizer!)",
        "\(settings.learningRate) \(settings.steps) \(settings.clampNormFactor) \(settings.weightDecay)",
        "\(settings.klFactor) \(settings.stopLoss) \(settings.layers.last!) \(settings.method == .rome)",
      ] + base.tensors.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.digest)" } + templates.templates
      + weights.foundation.parents.flatMap(\.batches).map { "\($0)" }
      // What the facts' IDs leave open.
      + Set(facts.compactMap { $0.form?.turn }.map { "\($0.before)\0\($0.after)" }).sorted()
      // A later fact of ROME sees the earlier ones as they are stored.
      + (settings.method == .rome ? facts.map(\.identifier) + ["\(settings.factorTypes)"] : [])
    return Digest(of: Array(texts.joined(separator: "\0").utf8))
  }
}
