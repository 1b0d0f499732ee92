import Tensors
import TestSupport
import Testing

@testable import Transformer

/// Which of a configuration's blocks about rotary positions counts, and what is said of the others.
@Suite struct RotaryParametersTests {
  private func parameters(_ fields: JSON) throws -> (RotaryParameters, path: String) {
    let directory = try TemporaryDirectory()
    let path = directory("config.json")
    var object = fields.objectValue!
    object["model_type"] = "qwen3"
    object["max_position_embeddings"] = 32768
    try AtomicFile.write(JSON.object(object).serialized(), to: path)
    return (try RotaryParameters(Configuration(contentsOf: path), headSize: 16), path)
  }

  private func frequencies(_ fields: JSON) throws -> [Float] {
    try parameters(fields).0.embedding.inverseFrequencies
  }

  private let yarn: JSON = ["rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8192]

  /// A model card's block, added to a `config.json` of transformers 5, whose own base it puts out of force too.
  @Test func scalingCountsBesideParameters() throws {
    let plain: JSON = ["rope_type": "default", "rope_theta": 1_000_000.0]
    let (both, path) = try parameters(["rope_parameters": plain, "rope_scaling": yarn])
    #expect(both.embedding.inverseFrequencies == (try frequencies(["rope_scaling": yarn])))
    #expect(both.embedding.inverseFrequencies != (try frequencies(["rope_parameters": plain])))
    #expect(abs(both.embedding.magnitude - 1.138629436) < 1e-6)
    #expect(
      both.notices == ["\(path): has both 'rope_scaling' and 'rope_parameters'; the first counts, as in transformers"])
    #expect(
      try frequencies(["rope_parameters": plain, "rope_scaling": yarn, "rope_theta": 1_000_000.0])
        == frequencies(["rope_scaling": yarn, "rope_theta": 1_000_000.0]))
  }

  @Test(arguments: [JSON.null, [:]])
  func noScalingIsNone(_ scaling: JSON) throws {
    let plain: JSON = ["rope_type": "default", "rope_theta": 1_000_000.0]
    let (both, _) = try parameters(["rope_parameters": plain, "rope_scaling": scaling])
    #expect(both.embedding.inverseFrequencies == (try frequencies(["rope_theta": 1_000_000.0])))
    #expect(both.notices == [])
  }

  /// DeepSeek-R1-0528-Qwen3-8B names its factor as nobody reads it.
  @Test(arguments: ["rope_scaling", "rope_parameters"] as [ByteString])
  func unknownFieldsAreWithoutEffect(_ name: ByteString) throws {
    var more = yarn.objectValue!
    more["attn_factor"] = 0.8782488562869419
    more["note"] = "x"
    let (found, path) = try parameters(.object(JSONObject([name: .object(more)])))
    let (expected, _) = try parameters(.object(JSONObject([name: yarn])))
    #expect(found.embedding.inverseFrequencies == expected.embedding.inverseFrequencies)
    #expect(found.embedding.magnitude == expected.embedding.magnitude)
    #expect(
      found.notices == ["\(path): '\(name).attn_factor', '\(name).note' without effect, as in transformers"])
    #expect(expected.notices == [])
  }
}
