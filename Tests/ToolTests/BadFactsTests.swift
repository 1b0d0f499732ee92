import Foundation
import RegexBuilder
import Testing

extension ToolTests {
  /// Facts files that cannot be used: refused before anything is computed.
  @Suite struct BadFacts {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func fail(
      _ options: [String] = [], exitCode: Int32, message: String, at location: SourceLocation = #_sourceLocation
    ) throws {
      let facts = options.contains("--facts") ? [] : ["--facts", "facts.json"]
      try scratch.fail(
        ["edit", "samples/model", "--stats", "samples/stats.safetensors", "-o", "o.wpatch"] + facts + options,
        exitCode: exitCode, message: "errata edit: \(message)", at: location)
    }

    private static let schemas =
      "CounterFact (requested_rewrite); zsRE (src, alt, answers, rephrase, loc, loc_ans); "
      + "EasyEdit (prompt, subject, target_new); plain (prompt, target, and subject or braces around it)"

    private func record(
      _ prompt: String = "The {} is located in the country of", subject: String = "Eiffel Tower", new: String = "Italy"
    ) -> String {
      #"{"requested_rewrite": {"prompt": "\#(prompt)", "subject": "\#(subject)", "target_new": {"str": "\#(new)"}}}"#
    }

    @Test func cannotBeRead() throws {
      try fail(exitCode: 1, message: "facts.json: cannot open: no such file or directory")
      try fail(["--facts", "samples/model"], exitCode: 1, message: "samples/model: is not a regular file")
    }

    @Test(arguments: [
      (
        "no JSON",
        "is neither a JSON array of records, nor JSON objects line by line, nor CSV with a header that names a column "
          + "prompt or template"
      ),
      ("[{},", "not valid JSON at byte 4: the text ends where a value is expected"),
      ("{}", "record 0 (line 1): has no fields, those of no known schema: \(schemas)"),
      ("[]", "holds no facts"),
      ("[3]", "record 0 (line 1): must be an object, found a number"),
      ("[{}]", "record 0 (line 1): has no fields, those of no known schema: \(schemas)"),
      (
        #"[{"requested_rewrite": 3}]"#,
        "record 0 (line 1), field 'requested_rewrite': must be an object, found a number"
      ),
    ])
    func noRecords(text: String, message: String) throws {
      try scratch.write(text, to: "facts.json")
      try fail(exitCode: 2, message: "facts.json: \(message)")
      try scratch.fail(
        "eval", "samples/model", "--facts", "facts.json", exitCode: 2, message: "errata eval: facts.json: \(message)")
    }

    @Test(arguments: [
      (#""subject": "Rome", "target_new": {"str": "x"}"#, "requested_rewrite.prompt': is missing"),
      (
        #""prompt": 7, "subject": "Rome", "target_new": {"str": "x"}"#,
        "requested_rewrite.prompt': must be a string, found a number"
      ),
      (#""prompt": "{} is", "target_new": {"str": "x"}"#, "requested_rewrite.subject': is missing"),
      (#""prompt": "{} is", "subject": "", "target_new": {"str": "x"}"#, "requested_rewrite.subject': is empty"),
      (#""prompt": "{} is", "subject": " ", "target_new": {"str": "x"}"#, "requested_rewrite.subject': is empty"),
      (
        #""prompt": "{} is", "subject": true, "target_new": {"str": "x"}"#,
        "requested_rewrite.subject': must be a string, found a boolean"
      ),
      (#""prompt": "{} is", "subject": "Rome""#, "requested_rewrite.target_new': is missing"),
      (
        #""prompt": "{} is", "subject": "Rome", "target_new": "x""#,
        "requested_rewrite.target_new': must be an object, found a string"
      ),
      (
        #""prompt": "{} is", "subject": "Rome", "target_new": {"id": "Q1"}"#,
        "requested_rewrite.target_new.str': is missing"
      ),
      (
        #""prompt": "{} is", "subject": "Rome", "target_new": {"str": " "}"#,
        "requested_rewrite.target_new.str': is empty"
      ),
      (
        #""prompt": "{} is", "subject": "Rome", "target_new": {"str": "x"}, "target_true": {"str": ["y"]}"#,
        "requested_rewrite.target_true.str': must be a string, found an array"
      ),
      (
        #""prompt": "The mother tongue of Rome is", "subject": "Rome", "target_new": {"str": "x"}"#,
        "requested_rewrite.prompt': must contain {} exactly once, where the subject stands, "
          + #"found "The mother tongue of Rome is""#
      ),
      (
        #""prompt": "{} and {}", "subject": "Rome", "target_new": {"str": "x"}"#,
        "requested_rewrite.prompt': must contain {} exactly once, where the subject stands, "
          + #"found "{} and {}""#
      ),
    ])
    func badField(rewrite: String, message: String) throws {
      try scratch.write("[\(record()), {\"requested_rewrite\": {\(rewrite)}}]", to: "facts.json")
      try fail(exitCode: 2, message: "facts.json: record 1 (line 1), field '\(message)")
    }

    @Test func badPrompts() throws {
      let rewrite = record().dropLast()
      try scratch.write("[\(rewrite), \"paraphrase_prompts\": \"one\"}]", to: "facts.json")
      try fail(
        exitCode: 2,
        message:
          "facts.json: record 0 (line 1), field 'paraphrase_prompts': must be an array of strings, found a string")
      try scratch.write("[\(rewrite), \"neighborhood_prompts\": [\"one\", 2]}]", to: "facts.json")
      try fail(
        exitCode: 2,
        message:
          "facts.json: record 0 (line 1), field 'neighborhood_prompts': must be an array of strings, found a number "
          + "in it"
      )
      try scratch.write("[\(rewrite), \"paraphrase_prompts\": [\"one\", \"\"]}]", to: "facts.json")
      try fail(
        exitCode: 2, message: "facts.json: record 0 (line 1), field 'paraphrase_prompts': holds an empty prompt")
    }

    /// The case of three, all named.
    @Test func allWrongRecordsAreNamed() throws {
      try scratch.write(
        "["
          + (0..<3).map { #"{"prompt": "what is x\#($0)?", "subject": "Y\#($0)", "target_new": "a"}"# }
          .joined(separator: ",\n") + "]", to: "facts.json")
      let lines = (0..<3).map {
        "facts.json: record \($0) (line \($0 + 1)), field 'prompt': does not contain the subject \"Y\($0)\", found "
          + "\"what is x\($0)?\""
      }
      for tool in [
        ["edit", "samples/model", "--stats", "samples/stats.safetensors", "-o", "o.wpatch"], ["eval", "samples/model"],
        ["tune", "samples/model", "--stats", "samples/stats.safetensors"],
      ] {
        let result = try Tool.errata(tool + ["--facts", "facts.json"], in: scratch.path)
        #expect(result.exitCode == 2)
        #expect(
          result.errors
            == lines.map { "errata \(tool[0]): \($0)\n" }.joined()
            + "errata \(tool[0]): facts.json: 3 of 3 records cannot be used, as listed; correct them, or leave them "
            + "out with --skip-invalid\n")
      }
    }

    @Test func skipInvalidGoesOnWithoutThem() throws {
      try scratch.write(
        "prompt,target\nno subject,x\nThe mother tongue of {Leo Tolstoy} is,French\nx,y,z\n", to: "facts.csv")
      let edited = try scratch.succeed(
        "edit", "samples/model", "--stats", "samples/stats.safetensors", "-o", "o.wpatch", "--facts", "facts.csv",
        "--skip-invalid", "--json", "--quiet")
      #expect(try edited.json["facts"]?.arrayValue?.map { $0["subject"] } == ["Leo Tolstoy"])
      #expect(
        edited.errors
          == "errata edit: facts.csv: record 0 (line 2), field 'subject': is missing; name it, or put the subject "
          + "into braces "
          + "in the prompt \"no subject\"; left out\nerrata edit: facts.csv: record 2 (line 4): has 3 fields, and the "
          + "header 2; a field with the separator in it must stand in quotation marks; left out\n")
    }

    @Test func beyondTheLimits() throws {
      try scratch.write(String(repeating: "[", count: 100_000), to: "facts.json")
      try fail(exitCode: 6, message: "facts.json: not valid JSON at byte 64: nested more than 64 levels deep")
      try scratch.write("[\(record(new: String(repeating: "x", count: 100_001)))]", to: "facts.json")
      try fail(
        exitCode: 6,
        message: "facts.json: record 0 (line 1), field 'requested_rewrite.target_new.str': is longer than 100000 bytes")
    }

    @Test(arguments: [
      ("0-40", "samples/facts.json: there are no records 0-40: the file holds 0 to 39"),
      ("40", "samples/facts.json: there are no records 40: the file holds 0 to 39"),
      ("5-2", "'5-2' is not a selection of records; give a number, or first-last, from 0"),
      ("some", "'some' is not a selection of records; give a number, or first-last, from 0"),
      ("1-2-3", "'1-2-3' is not a selection of records; give a number, or first-last, from 0"),
    ])
    func badSelection(selection: String, message: String) throws {
      try fail(["--facts", "samples/facts.json", "--records", selection], exitCode: 2, message: message)
    }

    @Test func repeatedFacts() throws {
      try scratch.write("[\(record()), \(record("{} is in")), \(record(new: " Italy"))]", to: "facts.json")
      try fail(
        exitCode: 4,
        message:
          "facts.json: records 0 and 2 are the same fact \"The Eiffel Tower is located in the country of  Italy\"; "
          + "remove one of them")
      // Only what is edited together counts.
      try scratch.succeed(
        "edit", "samples/model", "--stats", "samples/stats.safetensors", "--facts", "facts.json", "--records", "0-1",
        "-o", "o.wpatch", "--quiet")
    }

    @Test func contradictingFacts() throws {
      try scratch.write("[\(record("{} is in")), \(record()), \(record(new: "Spain"))]", to: "facts.json")
      for method in ["emmet", "memit", "rome"] {
        try fail(
          ["--method", method], exitCode: 4,
          message:
            "facts.json: records 1 and 2 contradict each other: \"The Eiffel Tower is located in the country of\" "
            + "cannot become both \"Italy\" and \"Spain\"; remove one of them")
      }
    }

    /// Facts with different subjects can ask the same question.
    @Test func contradictingFactsOfTwoSubjects() throws {
      try scratch.write(
        "prompt,target\nThe {Eiffel Tower} is in,Rome\n{The Eiffel Tower} is in,Oslo\n", to: "facts.csv")
      try fail(
        ["--facts", "facts.csv"], exitCode: 4,
        message: "facts.csv: records 0 and 1 contradict each other: \"The Eiffel Tower is in\" cannot become both "
          + "\"Rome\" and \"Oslo\"; remove one of them")
    }

    /// A note, no error: the edit is written where the published code writes it.
    @Test func subjectsThatEndWithinAToken() throws {
      try scratch.write("prompt,target\nThe {Eiffel Tow}er is located in the country of,Italy\n", to: "facts.csv")
      let arguments = [
        "edit", "samples/model", "--stats", "samples/stats.safetensors", "--facts", "facts.csv", "-o", "o.wpatch",
      ]
      let noted = try Tool.errata(arguments, in: scratch.path)
      #expect(noted.exitCode == 0)
      #expect(
        noted.errors.contains(
          "errata edit: fact \"The Eiffel Tower is located in the country of Italy\": the subject ends within the "
            + "token \" Tower\" of the prompt, where the edit is written\n"), "\(noted.errors)")
    }

    /// Named by its beginning and end.
    @Test func tooLong() throws {
      try scratch.write("[\(record()), \(record(String(repeating: "so ", count: 300) + "{} is"))]", to: "facts.json")
      let edited = try scratch.errata(
        "edit", "samples/model", "--stats", "samples/stats.safetensors", "--facts", "facts.json", "-o", "o.wpatch")
      let scored = try scratch.errata("eval", "samples/model", "--facts", "facts.json")
      #expect([edited.exitCode, scored.exitCode] == [1, 1])
      let label = /fact "(so )+so?…[so ]+Eiffel Tower is Italy"/
      let rest = /longer than the model's 256 positions; shorten it\n/
      #expect(
        edited.errors.wholeMatch(
          of: Regex {
            "errata edit: "
            label
            ": a prompt with context and target of "
            OneOrMore(.digit)
            " tokens is "
            rest
          }) != nil, "\(edited.errors)")
      #expect(
        scored.errors.wholeMatch(
          of: Regex {
            "errata eval: "
            label
            ": one of its prompts, with the target "
            OneOrMore(.digit)
            " tokens, is "
            rest
          }) != nil, "\(scored.errors)")
      #expect(try scratch.names() == ["facts.json", "samples"])
    }

    /// A subject at the same place in other words has the same key: without slack, only one of them can be had.
    @Test func dependentKeys() throws {
      try scratch.write(
        "[\(record()), \(record("The {} stands in")), \(record(subject: "Taj Mahal"))]", to: "facts.json")
      try fail(
        ["--lambda", "0"], exitCode: 4,
        message: "these facts have keys that depend linearly on those of facts before them: "
          + "fact \"The Eiffel Tower stands in Italy\"; remove them, or add --drop-dependent")
      let dropped = try scratch.succeed(
        "edit", "samples/model", "--stats", "samples/stats.safetensors", "--facts", "facts.json", "-o", "o.wpatch",
        "--lambda", "0", "--drop-dependent", "--json")
      #expect(try dropped.json["facts"]?.arrayValue?.map { $0["subject"] } == ["Eiffel Tower", "Taj Mahal"])
    }
  }
}
