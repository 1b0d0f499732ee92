import Foundation
import Tensors
import Testing

extension ToolTests {
  /// The programs of Examples/, as a client of the library `Errata` builds them: what is not public, they do not see.
  @Suite struct Examples {
    private static let root = URL(fileURLWithPath: Samples.folder).deletingLastPathComponent().path

    @Test func buildAndDoWhatTheToolsDo() throws {
      let scratch = try Scratch()
      let built = try Tool.run(
        Self.root + "/.ci/build-examples", [Tool.folder, scratch("bin")], in: scratch.path, timeout: 600)
      #expect(built.exitCode == 0, "\(built.errors)")

      let applied = try Tool.run(
        scratch("bin/apply-patch"), ["samples/five-facts.wpatch", "samples/model", "edited"], in: scratch.path)
      #expect(applied.exitCode == 0 && applied.output.contains("Japan: Africa"), "\(applied.errors)")
      try scratch.succeed(["apply", "samples/model", "samples/five-facts.wpatch", "-o", "by-tool"])
      #expect(try scratch.bytes("edited/model.safetensors") == scratch.bytes("by-tool/model.safetensors"))

      let computed = try Tool.run(
        scratch("bin/compute-edit"),
        ["samples/model", "samples/facts.json", "samples/stats.safetensors", "fix.wpatch"], in: scratch.path)
      #expect(computed.exitCode == 0, "\(computed.errors)")
      let manifest = try scratch.succeed(["show", "fix.wpatch", "--json"]).json["manifest"]
      #expect(manifest?["batches"]?.arrayValue?.first?["facts"]?.arrayValue?.count == 40)
    }

    @Test func standInTheReadme() throws {
      let readme = try String(contentsOfFile: Self.root + "/README.md", encoding: .utf8)
      for program in ["apply-patch/ApplyPatch", "compute-edit/ComputeEdit"] {
        let source = try String(contentsOfFile: Self.root + "/Examples/Sources/\(program).swift", encoding: .utf8)
        #expect(readme.contains(source), "\(program)")
      }
    }
  }
}
