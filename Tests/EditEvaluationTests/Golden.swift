import Foundation
import KnowledgeEditing
import Tensors
import Testing

/// Numbers of PyTorch and of plain Python for the quantities of an evaluation (Tests/Golden/make_golden_evaluation.py).
struct EvaluationGolden: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let modelPath: String
  private let file: String

  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  static let samples = root + "/SamplePatches"
  static let sample = EvaluationGolden(
    testDescription: "sample", modelPath: samples + "/model", file: "evaluation.json")

  /// SmolLM2's weights are not in the repository: `make demo-smollm2` leaves them in `.cache`.
  static let available: [EvaluationGolden] = {
    let candidates = [ProcessInfo.processInfo.environment["ERRATA_SMOLLM2"], root + "/.cache/smollm2-135m"]
    let path = candidates.compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0 + "/model.safetensors") }
    return [sample]
      + (path.map {
        [EvaluationGolden(testDescription: "smollm2", modelPath: $0, file: "evaluation_smollm2.json")]
      } ?? [])
  }()

  func numbers(_ name: ByteString) throws -> [JSON] {
    try #require(try JSON.parse(contentsOf: "\(Self.root)/Tests/Golden/\(file)")[name]?.arrayValue)
  }

  func model() throws -> LanguageModel { try LanguageModel(path: modelPath) }
}

extension JSON {
  func number(_ name: ByteString) throws -> Double { try #require(self[name]?.doubleValue) }
  func text(_ name: ByteString) throws -> String { try #require(self[name]?.stringValue) }
}
