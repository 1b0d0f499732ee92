import Foundation
import KnowledgeEditing
import Safetensors
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import Facts

/// Numbers that the reference implementation of ROME, MEMIT and EMMET produced in PyTorch (Tests/Golden).
struct GoldenEdit: CustomTestStringConvertible, Sendable {
  let name: String
  let modelPath: String

  var testDescription: String { name }

  private static let packageRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path
  private static let folder = packageRoot + "/Tests/Golden"
  static let sampleModelPath = packageRoot + "/SamplePatches/model"

  /// SmolLM2's weights are not in the repository: `make demo-smollm2` leaves them in `.cache`.
  static let smolLM2Path: String? = {
    let candidates = [ProcessInfo.processInfo.environment["ERRATA_SMOLLM2"], packageRoot + "/.cache/smollm2-135m"]
    return candidates.compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0 + "/model.safetensors") }
  }()

  static let available: [GoldenEdit] =
    [GoldenEdit(name: "sample", modelPath: sampleModelPath)]
    + (smolLM2Path.map { [GoldenEdit(name: "smollm2", modelPath: $0)] } ?? [])

  // MARK: - The files

  struct Numbers {
    let json: JSON
    let file: SafetensorsFile

    func matrix(_ name: String) throws -> Matrix<Double> {
      let tensor = try file.tensor(named: ByteString(name))
      return tensor.dtype == .f64 ? try tensor.doubleMatrix() : try tensor.matrix().widened()
    }

    func contains(_ name: String) -> Bool { file.header[ByteString(name)] != nil }

    /// keys_per_template: facts x templates x d_in.
    func keysPerTemplate(_ fact: Int) throws -> [Float] {
      let tensor = try file.tensor(named: "keys_per_template")
      let count = tensor.shape.extents[1] * tensor.shape.extents[2]
      return withExtendedLifetime(tensor) {
        (0..<count).map { tensor.bytes.loadUnaligned(fromByteOffset: (fact * count + $0) * 4, as: Float.self) }
      }
    }

    /// The rows and columns of the sampled entries of D.
    func sampledPlaces() throws -> [(row: Int, column: Int)] {
      let tensor = try file.tensor(named: "sample_rc")
      return withExtendedLifetime(tensor) {
        (0..<tensor.shape.extents[0]).map {
          (
            Int(tensor.bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int32.self)),
            Int(tensor.bytes.loadUnaligned(fromByteOffset: $0 * 8 + 4, as: Int32.self))
          )
        }
      }
    }

    /// C of a layer; where only one was stored, that one serves every layer.
    func secondMoment(_ layer: Int) throws -> Matrix<Double> {
      let own = "C.layer\(layer).lower"
      let packed = try matrix(contains(own) ? own : "C.layer\(editedLayer).lower")
      let size = Int((Double(8 * packed.count + 1).squareRoot() - 1) / 2)
      var result = Matrix<Double>(rows: size, columns: size)
      var index = 0
      for row in 0..<size {
        for column in 0...row {
          result[row, column] = packed[0, index]
          result[column, row] = packed[0, index]
          index += 1
        }
      }
      return result
    }

    var hyperparameters: JSON { json["hparams"]! }
    var editedLayer: Int { hyperparameters["layer"]!.integerValue! }
    var distributedLayers: [Int] { hyperparameters["layers"]!.arrayValue!.map { $0.integerValue! } }
    var lambda: (emmet: Double, memit: Double) {
      (hyperparameters["emmet_lambda"]!.doubleValue!, hyperparameters["mom2_update_weight"]!.doubleValue!)
    }

    var templates: [String] {
      json["context_templates"]!.arrayValue!.flatMap { $0.arrayValue!.map { $0.stringValue! } }
    }

    var facts: [Manifest.Fact] {
      json["facts"]!.arrayValue!.map { fact in
        func text(_ value: JSON?) -> String { value!.stringValue ?? value!["str"]!.stringValue! }
        return Manifest.Fact(
          subject: text(fact["subject"]), prompt: text(fact["prompt"]), targetNew: text(fact["target_new"]))
      }
    }

    /// The searches at a site, for example `layer5` or `mlp5`.
    func searches(_ site: String) -> [JSON] { json["z"]![ByteString(site)]!.arrayValue! }

    func norm(_ name: String, layer: Int) -> Double {
      json["cases"]![ByteString(name)]![ByteString("layer\(layer)")]!["fro"]!.doubleValue!
    }

    func settings(_ method: EditMethod, layers: [Int]) -> EditSettings {
      func value(_ name: ByteString) -> Double { hyperparameters[name]!.doubleValue! }
      return EditSettings(
        method: method, layers: layers, learningRate: value("lr"), steps: hyperparameters["steps"]!.integerValue!,
        clampNormFactor: value("clamp"), weightDecay: value("weight_decay"), klFactor: value("kl_factor"),
        stopLoss: value("stop"), secondMomentWeight: lambda.memit,
        lambda: method == .emmet ? lambda.emmet : nil)
    }
  }

  func numbers() throws -> Numbers {
    Numbers(
      json: try JSON.parse(contentsOf: "\(Self.folder)/\(name)_edits.json"),
      file: try SafetensorsFile(path: "\(Self.folder)/\(name)_edits.safetensors"))
  }

  /// Without the extension.
  var forwardPath: String { "\(Self.folder)/\(name)_forward" }

  /// The losses of the search for a fact in binary64, where float32 searches differ in the third decimal
  /// (make_float64_search.py).
  func exactLosses(fact: Int) throws -> [Double]? {
    let path = "\(Self.folder)/\(name)_search_float64.json"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let search = try JSON.parse(contentsOf: path)
    return search["fact"]!.integerValue == fact ? search["losses"]!.arrayValue!.map { $0.doubleValue! } : nil
  }

  func model() throws -> LanguageModel { try LanguageModel(path: modelPath) }

  func problems(_ model: LanguageModel, _ numbers: Numbers) throws -> [ValueProblem] {
    let tokenization = PromptTokenization(model.tokenizer)
    return try numbers.facts.map { fact in
      ValueProblem(
        label: fact.label, prompts: try numbers.templates.map { try tokenization.prompt(fact, template: $0) },
        target: try tokenization.target(fact), essence: try tokenization.essence(fact))
    }
  }
}

func relativeError(_ found: [Float], _ expected: [Double]) -> Double {
  relativeError(found.map(Double.init), expected)
}

func cosine(_ left: [Float], _ right: [Double]) -> Double {
  let dot = zip(left, right).reduce(0.0) { $0 + Double($1.0) * $1.1 }
  let norms = left.reduce(0.0) { $0 + Double($1) * Double($1) } * right.reduce(0.0) { $0 + $1 * $1 }
  return dot / norms.squareRoot()
}
