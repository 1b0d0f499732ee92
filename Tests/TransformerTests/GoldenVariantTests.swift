import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Transformer

/// Each field of `config.json` that changes what a family computes, changed (Tests/Golden/make_golden_variants.py).
@Suite struct GoldenVariantTests {
  struct Variant: Sendable, CustomTestStringConvertible {
    let number: Int
    let family: String
    let changes: JSON

    var testDescription: String { "\(family) \(String(decoding: changes.serialized(), as: UTF8.self))" }
  }

  static let variants: [Variant] = {
    let list = try! JSON.parse(contentsOf: Golden.folder + "/variants.json").arrayValue!
    return list.enumerated().map { Variant(number: $0, family: $1["family"]!.stringValue!, changes: $1["changes"]!) }
  }()

  @Test(arguments: variants) func logits(_ variant: Variant) throws {
    let golden = try Golden(variant.family)
    let folder = "\(Golden.folder)/tiny/\(variant.family)"
    let directory = try TemporaryDirectory()
    var configuration = try JSON.parse(contentsOf: folder + "/config.json").objectValue!
    for (key, value) in variant.changes.objectValue!.members { configuration[key] = value }
    try AtomicFile.write(JSON.object(configuration).serialized(), to: directory("config.json"))
    try FileManager.default.createSymbolicLink(
      atPath: directory("model.safetensors"), withDestinationPath: folder + "/model.safetensors")
    let decoder = try Decoder(Checkpoint(path: directory.path))
    let tree = TokenTree([golden.sequences[2].tokens])
    var hidden = try decoder.embed(tokens: tree.tokens, positions: tree.positions)
    try decoder.forward(
      &hidden, plan: AttentionPlan(tree), tokens: tree.tokens, positions: tree.positions,
      layers: 0..<decoder.architecture.layerCount)
    let expected = try SafetensorsFile(path: Golden.folder + "/variants.safetensors")
      .tensor(named: ByteString("\(variant.number)")).matrix()
    #expect(relativeError(decoder.logits(hidden).elements, expected.elements) < 1e-5)
  }
}
