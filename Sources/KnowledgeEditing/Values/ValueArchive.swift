import Foundation
import Safetensors
import Tensors
import WeightPatch

/// The values that an unfinished edit has found, kept beside its output so that the same command goes on from there.
///
/// A safetensors file: for each fact the tensors `<fact id>.initial` and `<fact id>.delta`, F32, hidden size long, and in
/// `__metadata__` the run's identity and the losses.
public final class ValueArchive {
  private static let metadataKey: ByteString = "errata.values"
  public let path: String
  private var identity: Digest?
  public private(set) var values: [String: FoundValue] = [:]

  /// - Parameter outputPath: the patch that is being computed.
  public init(outputPath: String) {
    path = outputPath + ".partial"
  }

  /// Reads what an earlier run left; values of a run with other settings are not used, and will be overwritten.
  ///
  /// - Parameter identity: what values depend on, see `EditComputation.valueIdentity`.
  /// - Throws: an `ErrataError` if the file is damaged.
  func open(_ identity: Digest) throws {
    self.identity = identity
    values = [:]
    guard FileManager.default.fileExists(atPath: path) else { return }
    do {
      try read(identity)
    } catch let error as ErrataError where error.kind == .damagedInput {
      throw ErrataError.partialDamaged(path)
    }
  }

  private func read(_ identity: Digest) throws {
    let file = try SafetensorsFile(path: path)
    guard let text = file.header.metadata[Self.metadataKey], let json = try? JSON.parse(text.bytes),
      json["identity"]?.stringValue == identity.description, let steps = json["steps"]?.objectValue
    else { return }
    for (fact, losses) in steps.members {
      values[fact.description] = FoundValue(
        initial: try file.tensor(named: ByteString("\(fact).initial")).matrix().elements,
        delta: try file.tensor(named: ByteString("\(fact).delta")).matrix().elements,
        steps: (losses.arrayValue ?? []).compactMap { element in
          let numbers = (element.arrayValue ?? []).compactMap(\.doubleValue)
          guard numbers.count == 5 else { return nil }
          return ValueSearchStep(
            loss: numbers[0], negativeLogLikelihood: numbers[1], divergence: numbers[2], weightDecay: numbers[3],
            deltaNorm: numbers[4])
        })
    }
  }

  /// Adds values and writes the file anew.
  ///
  /// - Precondition: it is open.
  func append(_ found: [(fact: String, value: FoundValue)]) throws {
    guard !found.isEmpty else { return }
    for (fact, value) in found { values[fact] = value }
    var steps = JSONObject()
    var tensors: [ByteString: [Float]] = [:]
    for (fact, value) in values {
      steps[ByteString(fact)] = .array(
        value.steps.map {
          .array(
            [$0.loss, $0.negativeLogLikelihood, $0.divergence, $0.weightDecay, $0.deltaNorm].map { .double($0) })
        })
      tensors[ByteString("\(fact).initial")] = value.initial
      tensors[ByteString("\(fact).delta")] = value.delta
    }
    let metadata: JSON = ["identity": JSON(identity!.description), "steps": .object(steps)]
    let writer = try SafetensorsWriter(
      path: path, tensors: tensors.map { TensorDeclaration(name: $0, dtype: .f32, shape: [$1.count]) },
      metadata: [Self.metadataKey: ByteString(metadata.serialized())])
    for tensor in writer.header.tensors {
      try tensors[tensor.name]!.withUnsafeBytes { try writer.write($0, of: tensor.name) }
    }
    try writer.commit()
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
      // A later fact of ROME sees the earlier ones as they are stored.
      + (settings.method == .rome ? facts.map(\.identifier) + ["\(settings.factorTypes)"] : [])
    return Digest(of: Array(texts.joined(separator: "\0").utf8))
  }
}
