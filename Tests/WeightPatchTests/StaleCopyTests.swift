import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// Models that tie what reads tokens and what predicts them often store the weights twice; an edit changes one of them.
@Suite struct StaleCopyTests {
  private let directory: TemporaryDirectory
  private let random: StoredElements
  private let other: StoredElements

  init() throws {
    directory = try TemporaryDirectory()
    var generator = SeededGenerator(seed: 1)
    random = .gaussian(.bf16, count: 96, scale: 0.02, using: &generator)
    other = .gaussian(.bf16, count: 96, scale: 0.02, using: &generator)
  }

  /// Plans an edit of the first weight of a checkpoint with these weights of 12 x 8.
  private func remarks(_ weights: [(name: ByteString, elements: StoredElements)]) throws -> [String] {
    let path = directory("model.safetensors")
    let tensors = weights.map { name, elements in
      (name, (dtype: DType.bf16, shape: Shape([12, 8]), bytes: elements.bytes))
    }
    try SafetensorsWriter.write(Dictionary(uniqueKeysWithValues: tensors), to: path)
    var generator = SeededGenerator(seed: 2)
    let edited = weights[0].name
    let batch = EditBatch(tensors: [
      .random(edited, outputs: 12, inputs: 8, facts: 1, scale: 0.01, isTransposed: false, using: &generator)
    ])
    let tensor = Manifest.BaseTensor(
      dtype: .bf16, shape: [12, 8], isTransposed: false, digest: try Checkpoint(path: path).digest(of: edited))
    let manifest = Manifest(
      created: "2026-01-31T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0"),
      base: Manifest.Base(tensors: [edited: tensor]), result: nil,
      batches: [
        Manifest.Batch(
          method: Manifest.Method(name: "emmet", lambda: 0.5, layers: [0]),
          facts: [Manifest.Fact(subject: "S", prompt: "{} is", targetNew: "x")])
      ])
    try PatchWriter.write(manifest, batches: [batch], to: directory("x.wpatch"))
    let patch = try PatchFile(path: directory("x.wpatch"))
    return try CheckpointState(path: path).planApply([patch], time: "2026-02-01T00:00:00Z").remarks()
  }

  @Test(arguments: [
    ("model.embed_tokens.weight", "lm_head.weight"), ("lm_head.weight", "model.embed_tokens.weight"),
    ("transformer.wte.weight", "lm_head.weight"), ("gpt_neox.embed_in.weight", "embed_out.weight"),
  ])
  func theOtherCopyStays(edited: String, copy: String) throws {
    #expect(
      try remarks([(ByteString(edited), random), (ByteString(copy), random)]) == [
        "\(copy): is a copy of \(edited) without patches, and is left as it is: a program that loads both separately "
          + "sees the old values there"
      ])
  }

  @Test func noCopy() throws {
    // Other values: the model does not tie them.
    #expect(try remarks([("model.embed_tokens.weight", random), ("lm_head.weight", other)]).isEmpty)
    // The same values under a name that is not the other side's.
    #expect(try remarks([("model.embed_tokens.weight", random), ("model.norm.weight", random)]).isEmpty)
    #expect(try remarks([("model.a.weight", random), ("lm_head.weight", random)]).isEmpty)
    #expect(try remarks([("model.embed_tokens.weight", random)]).isEmpty)
  }
}
