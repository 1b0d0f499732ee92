import Foundation
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import errata_show

/// What `errata show` says about the worked example of the Spec, word for word.
@Suite struct PatchReportTests {
  private static let example =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path + "/Spec/examples/example.wpatch"

  private func patch() throws -> Patch { try PatchReader(path: Self.example).read() }

  private func report() throws -> PatchReport {
    let reader = try PatchReader(path: Self.example)
    return PatchReport(
      try reader.read(), path: "example.wpatch", byteCount: reader.byteCount,
      batchByteCounts: [reader.byteCount(ofBatch: 0)])
  }

  @Test func describesTheExample() throws {
    let expected = """
      patch       883cb9dd4a778d93bacebe53ce720ece5d6813b28f11ee33a7ce084b15d276a5
      file        example.wpatch, 1.1 kB, 2 facts (526 B per fact)
      base        example, llama
      created     2026-01-31T12:00:00Z by errata 0.1.0
      author      The Errata authors
      licence     CC0-1.0

      batch 0     memit, lambda 1, w 1, layer 0, digest 4bd74a4b276f
      settings    learning rate 0.5, at most 20 steps, 1 template, seed 0

      fact              subject     prompt                old -> new              P/token before\
        P/token after (when made)  joint after  short
      3b827a65514852a3  Kazakhstan  The capital of {} is  Nur-Sultan -> Astana             12.5%\
                            93.8%            -    15%
      97a9fa77c77b321d  Pluto       {} is a               planet -> dwarf planet               -\
                                -            -    21%

      tensor                  |D|  |D|/|W|  preservation  of output  short  stored A B  storage error
      mlp.down_proj.weight  6.016    2.673         36.19          -    21%  F32 F16                 0
      """
    #expect(try report().lines.joined(separator: "\n") == expected)
  }

  /// P is per token, the joint probability stands beside it; and what needed no step was not to be reached.
  @Test func jointProbabilitiesAndNothingToDo() throws {
    let example = try patch()
    var manifest = example.manifest
    manifest.batches[0].facts[0].outcome = Manifest.Outcome(
      steps: 0, probabilityBefore: 0.5, probabilityAfter: 0.419, targetTokens: 7)
    let directory = try TemporaryDirectory()
    let report = PatchReport(
      try PatchWriter.write(manifest, batches: example.batches, to: directory("x.wpatch")), path: "x.wpatch",
      byteCount: 900, batchByteCounts: [400])
    let line = try #require(report.lines.first { $0.hasPrefix("3b827a65514852a3") })
    // 0.419^7
    #expect(line.hasSuffix("50.0%                      41.9%         0.2%  nothing to do"))
  }

  /// A batch that was cut to a smaller rank: its factors carry no G, so the manifest's figures are shown.
  @Test func describesACompactedBatch() throws {
    let example = try patch()
    var manifest = example.manifest
    let name: ByteString = "mlp.down_proj.weight"
    manifest.batches[0].terms = .components
    manifest.batches[0].tensors[name] = Manifest.TensorFigures(
      weightNorm: 2, preservation: 3, memorization: 0.5, deltaError: 0.25,
      compaction: Manifest.Compaction(
        norm: "facts", tolerance: 0.3, terms: 4, weightsError: 0.2, textError: 0.22, factsError: 0.28,
        worstFactError: 0.4))
    let factors = example.batches[0].tensors[0]
    let batch = EditBatch(
      tensors: [
        LowRankFactors(name: name, isTransposed: false, left: factors.left, right: factors.right)
      ])
    let directory = NSTemporaryDirectory() + "errata-test-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let compacted = PatchReport(
      try PatchWriter.write(manifest, batches: [batch], to: directory + "/x.wpatch"), path: "x.wpatch", byteCount: 900,
      batchByteCounts: [400])
    let lines = compacted.lines
    #expect(lines[1] == "file        x.wpatch, 900 B, 2 facts (450 B per fact)")
    #expect(lines.contains("            its terms belong to no single fact"))
    #expect(
      lines.contains(
        "compacted   mlp.down_proj.weight: 2 of 4 terms, by facts, without 28% of facts, 40% of the worst, 22% of "
          + "text, 20% of D"))
    #expect(
      lines.last == "mlp.down_proj.weight  6.016    3.008             3          -    50%  F32 F16                 -")
    // No figure per fact.
    #expect(
      lines.contains { $0.hasPrefix("3b827a65514852a3  Kazakhstan") && $0.hasSuffix("93.8%            -      -") })
    #expect(compacted.json["figures"]?.arrayValue?[0][name]?["preservation"]?.doubleValue == 3)
  }

  @Test func escapesWhatStrangersWrote() throws {
    let example = try patch()
    var manifest = example.manifest
    manifest.note = "\u{1B}[2J\u{202E}gone"
    manifest.batches[0].facts[0].subject = "two\nlines"
    let directory = NSTemporaryDirectory() + "errata-test-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let patch = try PatchWriter.write(manifest, batches: example.batches, to: directory + "/x.wpatch")
    let text = PatchReport(patch, path: "x.wpatch", byteCount: 1, batchByteCounts: [1]).lines.joined(separator: "\n")
    #expect(text.contains(#"note        \u{1b}[2J\u{202e}gone"#))
    #expect(text.contains(#"two\u{a}lines"#))
  }

  @Test func answersInJSON() throws {
    let example = try patch()
    let json = try report().json
    #expect(json["patch"]?.stringValue == example.identifier.description)
    #expect(json["bytes_per_fact"]?.integerValue == 526)
    // From the frame of `gram` to the seal, as the Spec shows them.
    #expect(json["costs"] == [["bytes": .integer(0x3F4 - 0x37E), "bytes_per_fact": .integer((0x3F4 - 0x37E) / 2)]])
    #expect(json["manifest"] == example.manifest.json)
    let figures = json["figures"]?.arrayValue?[0]["mlp.down_proj.weight"]
    #expect(figures?["preservation"]?.doubleValue == 36.1875)
    #expect(figures?["memorization"]?.arrayValue?.count == 2)
  }

  /// What is said of a large patch: nothing that was not read.
  @Test func describesTheHeaderAlone() throws {
    let reader = try PatchReader(path: Self.example, checksSeal: false)
    let report = PatchReport(header: reader, path: "example.wpatch")
    let lines = report.lines
    #expect(lines[0] == "patch       not checked: the header alone was read (--full reads everything)")
    // The facts without what the factors say of each; the figures of the tensor as the manifest records them.
    #expect(lines.contains { $0.hasPrefix("3b827a65514852a3") && $0.hasSuffix("93.8%            -      -") })
    let recorded = try #require(reader.manifest.batches[0].tensors["mlp.down_proj.weight"])
    #expect(report.batches[0].tensors[0].deltaNorm == recorded.deltaNorm)
    #expect(report.batches[0].tensors[0].worstMemorization == recorded.memorization)
    #expect(lines.last?.contains("F32 F16") == true)
    #expect(report.json["patch"] == .null)
    #expect(report.json["header_only"] == true)
    #expect(report.listedFacts.allSatisfy { $0.patch == nil })
  }
}
