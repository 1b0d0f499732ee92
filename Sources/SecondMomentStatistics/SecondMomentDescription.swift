import Safetensors
import Tensors

/// The metadata of a second-moment file, complete or partial.
package struct SecondMomentDescription {
  package var origin: SecondMomentOrigin
  package var tokenCount: Int
  package var outputPowers: [Int: Double]
  package var isComplete: Bool

  package init(origin: SecondMomentOrigin, tokenCount: Int, outputPowers: [Int: Double] = [:], isComplete: Bool) {
    self.origin = origin
    self.tokenCount = tokenCount
    self.outputPowers = outputPowers
    self.isComplete = isComplete
  }

  package init(_ file: SafetensorsFile) throws {
    let path = file.path
    guard let text = file.header.metadata[SecondMoments.metadataKey] else {
      throw ErrataError.notStatistics(path, "its metadata lacks '\(SecondMoments.metadataKey)'")
    }
    guard let json = try? JSON.parse(text.bytes) else {
      throw ErrataError.notStatistics(path, "its metadata is not JSON")
    }
    func field<Value>(_ name: String, _ value: Value?) throws -> Value {
      guard let value else { throw ErrataError.notStatistics(path, "field '\(name)' is missing or wrong") }
      return value
    }
    func digest(_ name: ByteString) throws -> Digest {
      try field("\(name)", json[name]?.stringValue.flatMap { Digest(hexadecimal: $0) })
    }
    var weights: [Int: Digest] = [:]
    var powers: [Int: Double] = [:]
    for (key, value) in try field("layers", json["layers"]?.objectValue).members {
      let layer = try field("layers", Int(key.description))
      weights[layer] = try field(
        "layers.\(key).weight", value["weight"]?.stringValue.flatMap { Digest(hexadecimal: $0) })
      powers[layer] = value["output_power"]?.doubleValue
    }
    func tokens(_ name: ByteString) throws -> [String] {
      guard let found = json[name] else { return [] }
      let names = found.arrayValue?.compactMap(\.stringValue)
      return try field("\(name)", names?.count == found.arrayValue?.count ? names : nil)
    }
    origin = SecondMomentOrigin(
      model: try field("model", json["model"]?.stringValue), tokenizer: try digest("tokenizer"),
      corpus: try field("corpus", json["corpus"]?.stringValue), corpusDigest: try digest("corpus_digest"),
      sequenceLength: try field("sequence_length", json["sequence_length"]?.integerValue), weights: weights,
      specialTokens: .init(before: try tokens("tokens_before_text"), after: try tokens("tokens_after_text")),
      part: try json["part"].map { try field("part", $0.stringValue.flatMap(Part.init)) })
    tokenCount = try field("tokens", json["tokens"]?.integerValue.flatMap { $0 >= 0 ? $0 : nil })
    isComplete = try field("complete", json["complete"]?.boolValue)
    outputPowers = powers
  }

  package var json: JSON {
    var layers = JSONObject()
    for (layer, digest) in origin.weights {
      var fields = JSONObject(["weight": JSON(digest.description)])
      if let power = outputPowers[layer] { fields["output_power"] = .double(power) }
      layers[ByteString(String(layer))] = .object(fields)
    }
    let special = origin.specialTokens
    var object = JSONObject([
      "model": JSON(origin.model), "tokenizer": JSON(origin.tokenizer.description), "corpus": JSON(origin.corpus),
      "corpus_digest": JSON(origin.corpusDigest.description), "sequence_length": .integer(origin.sequenceLength),
      "tokens_before_text": .array(special.before.map { JSON($0) }),
      "tokens_after_text": .array(special.after.map { JSON($0) }),
      "tokens": .integer(tokenCount), "complete": .bool(isComplete), "layers": .object(layers),
    ])
    if let part = origin.part { object["part"] = JSON(part.description) }
    return .object(object)
  }
}
