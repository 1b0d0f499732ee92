import Foundation
import Safetensors
import Tensors

/// Values of facts in a file: what an unfinished edit has found and where its search is, or the values of a part of the
/// facts.
///
/// A safetensors file: for each fact that is found the tensors `<fact id>.initial` and `<fact id>.delta`, for each that
/// is searched `<fact id>.state.delta`, `.state.first` and `.state.second` (Adam's moments), all F32 and hidden size
/// long; in `__metadata__`, under `errata.values`, the identity of the search, the losses, the state's numbers, and the
/// part if it is one.
struct ValueFile {
  /// Facts that are searched together, and where they are.
  typealias Search = (facts: [String], state: ValueSearchState)

  /// What values depend on, see `EditComputation.valueIdentity`.
  let identity: Digest
  /// By fact ID.
  var values: [String: FoundValue] = [:]
  var search: Search?
  /// Whose values are all there; nil for an unfinished edit.
  var part: Part?

  private static let metadataKey: ByteString = "errata.values"

  init(identity: Digest) { self.identity = identity }

  // MARK: - Reading

  /// - Parameters:
  ///   - learningRate: of the search.
  ///   - size: the model's hidden size.
  /// - Returns: nil if it is no file of values.
  /// - Throws: an `ErrataError` if the file cannot be read or is damaged.
  init?(contentsOf path: String, learningRate: Double, size: Int) throws {
    let file = try SafetensorsFile(path: path)
    guard let text = file.header.metadata[Self.metadataKey], let json = try? JSON.parse(text.bytes),
      let identity = json["identity"]?.stringValue.flatMap({ Digest(hexadecimal: $0) }),
      let steps = json["steps"]?.objectValue
    else { return nil }
    self.identity = identity
    part = json["part"]?.stringValue.flatMap(Part.init)
    func vector(_ name: String) throws -> [Float] {
      let elements = try file.tensor(named: ByteString(name)).matrix().elements
      guard elements.count == size else { throw ErrataError.valuesDamaged(path, name, elements.count, size) }
      return elements
    }
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

  /// Whether a file is one of values, whatever search they are of.
  static func isOne(_ path: String) -> Bool {
    (try? SafetensorsFile(path: path))?.header.metadata[metadataKey] != nil
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

  // MARK: - Writing

  private static func json(_ steps: [ValueSearchStep]) -> JSON {
    .array(
      steps.map {
        .array([$0.loss, $0.negativeLogLikelihood, $0.divergence, $0.weightDecay, $0.deltaNorm].map { .double($0) })
      })
  }

  func write(to path: String) throws {
    var steps = JSONObject()
    var tensors: [ByteString: [Float]] = [:]
    for (fact, value) in values {
      steps[ByteString(fact)] = Self.json(value.steps)
      tensors[ByteString("\(fact).initial")] = value.initial
      tensors[ByteString("\(fact).delta")] = value.delta
    }
    var metadata = JSONObject(["identity": JSON(identity.description), "steps": .object(steps)])
    if let part { metadata["part"] = JSON(part.description) }
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
  }
}
