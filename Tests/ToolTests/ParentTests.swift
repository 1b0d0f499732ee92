import Foundation
import Tensors
import Testing
import WeightPatch

extension ToolTests {
  /// Patches that were computed on top of others.
  @Suite struct Parents {
    let scratch: Scratch

    init() throws {
      scratch = try Scratch()
      let parent = try PatchFile(path: scratch("samples/five-facts.wpatch"))
      let child = try PatchFile(path: scratch("samples/eiffel-tower.wpatch")).patch
      var manifest = child.manifest
      manifest.parents = [Manifest.Parent(patch: parent.identifier, batches: parent.manifest.batches.map(\.digest))]
      manifest.result = nil
      try PatchWriter.write(manifest, batches: child.batches, to: scratch("child.wpatch"))
    }

    private let parent = "samples/five-facts.wpatch"

    @Test func theLastCanBeTakenBack() throws {
      let result = try scratch.succeed("apply", "samples/model", "child.wpatch", parent, "-o", "edited", "--quiet")
      let lines = result.output.split(separator: "\n")
      #expect(lines[0].contains("five-facts.wpatch") && lines[1].contains("child.wpatch"))
      let reverted = try scratch.succeed("revert", "edited", "--last", "-o", "one", "--quiet")
      #expect(reverted.output.contains("(child.wpatch)"))
    }

    @Test func forceIsNoticed() throws {
      let trace = try scratch.succeed(
        "trace", "samples/model", "--patch", "child.wpatch", "--force", "The Eiffel Tower is in")
      #expect(
        trace.errors == "note: child.wpatch: traced by force without the patches that it was computed on top of\n")
      for (option, verb) in [(["--dry-run"], "would be applied"), ([], "applied")] {
        let result = try scratch.succeed(
          ["apply", "samples/model", "child.wpatch", "-o", "edited", "--quiet", "--force"] + option)
        #expect(
          result.errors
            == "note: child.wpatch: \(verb) by force without the patches that it was computed on top of\n")
      }
    }

    @Test func whatIsNamedTwiceIsAppliedOnce() throws {
      let result = try scratch.succeed("apply", "samples/model", parent, parent, "-o", "edited", "--quiet")
      #expect(result.output.split(separator: "\n").count == 2)
      #expect(!result.output.contains("already applied"))
      let again = try scratch.succeed("apply", "edited", parent, parent, "-o", "again", "--quiet")
      #expect(again.output.ranges(of: "already applied").count == 1)
    }
  }
}
