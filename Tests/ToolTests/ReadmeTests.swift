import Foundation
import Testing

extension ToolTests {
  /// What README.md shows is what the tools do.
  @Suite struct Readme {
    private static let path = Samples.root + "/README.md"
    /// Other commands are shown, not run.
    private static let programs = ["errata", "cmp", "sha256sum"]

    /// Every example in order in one folder, so that a later one finds what an earlier one made.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: path)))
    func examplesHold() throws {
      let text = try String(contentsOfFile: Self.path, encoding: .utf8)
      let scratch = try Scratch()
      // A copy: an example may write beside the samples.
      for folder in ["SamplePatches", "Spec"] {
        try FileManager.default.copyItem(atPath: "\(Samples.root)/\(folder)", toPath: scratch(folder))
      }
      for example in ConsoleExamples(markdown: text).examples {
        guard let program = example.command.split(separator: " ").first, Self.programs.contains(String(program)) else {
          continue
        }
        let result = try Tool.run(
          "/bin/sh", ["-c", "PATH='\(Tool.folder)':\"$PATH\"; { \(example.command)\n} 2>&1"], in: scratch.path)
        let found = result.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init).dropLast()
        if let difference = ConsoleExamples.firstDifference(shown: example.output, found: Array(found)) {
          Issue.record(
            """
            README.md, line \(example.line): \(example.command)
            shown: \(difference.shown)
            found: \(difference.found)
            """)
        }
      }
    }

    @Test func findsCommandsInOrder() {
      let text = """
        $ errata not in a block
        ```console
        $ errata edit \\
            -o fix.wpatch
        table 1
        $ make

        ```
        ```sh
        $ errata not in such a block
        ```
        ```console
        $ errata show
        ```
        """
      let examples = ConsoleExamples(markdown: text).examples
      #expect(
        examples == [
          .init(command: "errata edit -o fix.wpatch", output: ["table 1"], line: 3),
          .init(command: "make", output: [], line: 6), .init(command: "errata show", output: [], line: 13),
        ])
    }

    @Test func comparesWhatDoesNotVary() {
      func differs(_ shown: String, _ found: String) -> Bool {
        ConsoleExamples.firstDifference(
          shown: shown.components(separatedBy: "|"), found: found.components(separatedBy: "|")) != nil
      }
      #expect(!differs("fix: patch 9212b2e27263,  1.5 kB, 2 s", "fix: patch 0000deadbeef, 20 kB, 1 min 3 s"))
      #expect(differs("applied 1 fact", "reverted 1 fact"))
      #expect(differs("a", "a|b"))
      #expect(differs("a|b", "a"))
      #expect(!differs("a|…|d", "a|b|c|d"))
      #expect(!differs("a|…", "a|b|c"))
      #expect(differs("a|…|d", "a|b|c"))
    }
  }
}
