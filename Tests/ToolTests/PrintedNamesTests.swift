import Foundation
import Tensors
import Testing

extension ToolTests {
  /// Names and texts that others chose do nothing to a terminal, whichever tool prints them.
  @Suite struct PrintedNames {
    let scratch: Scratch

    /// Escape and operating-system commands, C1 controls, bidirectional and invisible characters.
    static let evil =
      "a\u{1B}[31m\u{1B}]0;t\u{7}\u{7F}\u{202E}\u{9B}2J\u{61C}\u{200B}\u{AD}\u{FEFF}\u{2066}\u{2028}\u{E0041}"
    static let patch = evil + ".wpatch"

    init() throws { scratch = try Scratch() }

    @discardableResult
    private func run(_ arguments: [String], exitCodes: Set<Int32> = [0], _ place: SourceLocation = #_sourceLocation)
      throws -> ToolResult
    {
      let result = try Tool.errata(arguments, in: scratch.path)
      #expect(exitCodes.contains(result.exitCode), "\(arguments): \(result.errors)", sourceLocation: place)
      let raw = (result.output + result.errors).unicodeScalars.filter {
        [.control, .format, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory) && $0 != "\n"
      }
      #expect(raw.isEmpty, "\(arguments[0]): \(raw.map { String($0.value, radix: 16) })", sourceLocation: place)
      return result
    }

    @Test func patches() throws {
      let (patch, evil) = (Self.patch, Self.evil)
      for (name, sample) in [(patch, "five-facts"), ("1" + patch, "eiffel-tower")] {
        try scratch.write(Data(contentsOf: URL(fileURLWithPath: "\(Samples.folder)/\(sample).wpatch")), to: name)
      }
      try scratch.copyModel(to: evil)
      let shown = try run(["apply", evil, patch, "--dry-run"])
      #expect(shown.output.contains(#"a\u{1b}[31m"#))
      try run(["apply", evil, patch, "-o", "\(evil)2"])
      try run(["apply", "\(evil)2", patch, "--in-place"])
      try run(["apply", evil, "1" + patch, "--json", "-o", "\(evil)3"])
      for options in [[], ["--json"]] {
        for tool in [
          ["show", patch], ["show", "\(evil)2"], ["verify", patch], ["verify", "\(evil)2", "--base", evil],
        ] {
          try run(tool + options)
        }
        try run(["diff", "\(evil)2", patch] + options)
        try run(["diff", evil, "\(evil)2"] + options, exitCodes: [0, 1])
        try run(["diff", patch, "1" + patch] + options)
        try run(["trace", "\(evil)2", "--top", "1", "Mexico is"] + options)
        try run(["resolve", patch, "--lambda", "7", "--base", evil, "-o", "r\(options.count)\(patch)"] + options)
        try run(
          ["drop", patch, "--fact", "Mexico", "--base", evil, "-o", "d\(options.count)\(patch)"] + options,
          exitCodes: [0, 1])
        try run(["compact", patch, "--factors", "i8", "--base", evil, "-o", "c\(options.count)\(patch)"] + options)
        try run(["stack", patch, "1" + patch, "--base", evil, "-o", "s\(options.count)\(patch)"] + options)
      }
      let json = try run(["show", patch, "--json"]).json
      #expect(json["file"]?.stringValue?.unicodeScalars.elementsEqual(patch.unicodeScalars) == true)
      try run(["keygen", "-o", "\(evil).key"])
      try run(["sign", patch, "--key", "\(evil).key", "-o", "signed\(patch)"])
      try run(["revert", "\(evil)2", "no\(evil)", "-o", "\(evil)4"], exitCodes: [1])
      try run(["revert", "\(evil)2", "-o", "\(evil)5"])
    }

    /// A file that is not there, and one that is something else, with such a name, for every tool.
    @Test func errors() throws {
      let evil = Self.evil
      try scratch.write("nothing", to: "x" + evil)
      for name in [evil, "x" + evil] {
        let facts = ["--facts", name, "--stats", name]
        for command in [
          ["apply", name, name, "-o", "o"], ["apply", "samples/model", name, "-o", "o"], ["revert", name, "-o", "o"],
          ["show", name], ["verify", name], ["diff", name, name], ["trace", name, name], ["ask", name, name],
          ["edit", name] + facts + ["-o", "o"], ["edit", "samples/model"] + facts + ["-o", "o"],
          ["eval", name, "--facts", name], ["stats", name, "--text", name, "-o", "o"],
          ["tune", name] + facts, ["resolve", name, "--lambda", "1", "-o", "o"],
          ["drop", name, "--fact", name, "-o", "o"], ["compact", name, "--factors", "i8", "-o", "o"],
          ["stack", name, name, "-o", "o"], ["sign", name, "--key", name], ["keygen", "-o", "no/\(name)"], [name],
          ["show", "--\(name)"],
        ] {
          let result = try run(command, exitCodes: [1, 2, 6])
          #expect(result.output == "")
          #expect(result.errors.filter { $0 == "\n" }.count == 1, "\(command): \(result.errors)")
        }
      }
    }

    /// Texts of facts, in a table and in JSON.
    @Test func facts() throws {
      let facts: JSON = [
        [
          "prompt": JSON("\(Self.evil) {} is in"), "subject": JSON("Bobr\(Self.evil)uisk"),
          "target_new": JSON("\(Self.evil)Rome"),
          "target_true": "Paris",
        ]
      ]
      try scratch.write(facts.serialized(), to: "facts.json")
      let options = ["samples/model", "--facts", "facts.json", "--stats", "samples/stats.safetensors"]
      try run(["edit"] + options + ["-o", "p.wpatch"])
      try run(["edit"] + options + ["-o", "q.wpatch", "--json"])
      for tool in ["show", "verify"] {
        try run([tool, "p.wpatch"])
        try run([tool, "p.wpatch", "--json"])
      }
      try run(["eval", "samples/model", "--facts", "facts.json"])
      try run(["eval", "samples/model", "--facts", "facts.json", "--csv", "-"])
      try run(["ask", "samples/model", Self.evil, "--tokens", "2"])
    }
  }
}
