import Foundation
import Tensors
import Testing

extension ToolTests {
  /// How facts are put to a model: the target's prefix, chats, the check before an edit and the answer after it.
  @Suite struct FactFormTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private let format = """
      {"name": "plain talk", "system": "Rule: {}.\\n", "user": "Q: {}\\n", "assistant": "A: {}\\n", "reply": "A:",
       "target_prefix": " "}
      """

    private func edit(_ facts: String, _ arguments: String..., output: String = "x.wpatch") throws -> ToolResult {
      try Tool.errata(
        ["edit", "samples/model", "--facts", facts, "--stats", "samples/stats.safetensors", "-o", output, "--quiet"]
          + arguments, in: scratch.path)
    }

    // MARK: - The target's prefix

    @Test func trailingSpacesAreMended() throws {
      try scratch.write(
        "{\"prompt\":\"The mother tongue of {Leo Tolstoy} is \",\"target\":\"French\"}", to: "space.jsonl")
      try scratch.write(
        "{\"prompt\":\"The mother tongue of {Leo Tolstoy} is\",\"target\":\"French\"}", to: "none.jsonl")
      let checked = try ["space", "none"].map { name -> JSON in
        try scratch.succeed("facts", "check", "\(name).jsonl", "samples/model", "--json", "--quiet").json
      }
      #expect(checked[0]["facts"] == checked[1]["facts"])
      #expect(
        checked[0]["notes"]?.arrayValue == [
          "fact \"The mother tongue of Leo Tolstoy is French\": left out the space at the end of the prompt"
        ])
      #expect(checked[0]["facts"]?.arrayValue?[0]["separator"] == " ")
    }

    @Test func prefixOfARecordAndOfARun() throws {
      try scratch.write(
        """
        {"prompt":"The mother tongue of {Leo Tolstoy} is","target":"French"}
        {"prompt":"The mother tongue of {Anton Chekhov} is","target":"French","target_prefix":" in "}
        {"prompt":"The {Eiffel Tower} is in Paris","target":", Texas"}
        """, to: "facts.jsonl")
      func prefixes(_ arguments: String...) throws -> [JSON?] {
        let result = try Tool.errata(
          ["facts", "check", "facts.jsonl", "samples/model", "--json", "--quiet"] + arguments, in: scratch.path)
        return try #require(try result.json["facts"]?.arrayValue).map { $0["separator"] }
      }
      #expect(try prefixes() == [" ", " in ", ""])
      #expect(try prefixes("--target-prefix", "") == ["", " in ", ""])
      #expect(try prefixes("--target-prefix", " (") == [" (", " in ", " ("])
    }

    // MARK: - Chats

    @Test func chatNeedsAFormat() throws {
      try scratch.fail(
        "ask", "samples/model", "--chat", "Hello", exitCode: 1,
        message:
          "errata ask: samples/model: there is no chat_template, and the tokenizer has no chat's tokens; describe the "
          + "format with --chat-format")
      try scratch.fail(
        "ask", "samples/model", "--system", "x", "Hello", exitCode: 2,
        message: "errata ask: --system goes with --chat (see 'errata ask --help')")
      try scratch.copyModel()
      try scratch.write("{{ messages }}", to: "model/chat_template.jinja")
      let refused = try scratch.errata("ask", "model", "--chat", "Hello")
      #expect(refused.exitCode == 1)
      #expect(
        refused.errors.hasPrefix("errata ask: model: the chat_template is of no known format (phi-4, smollm3, chatml,"))
      #expect(refused.errors.hasSuffix("); describe the format with --chat-format\n"))
    }

    /// A prompt in a chat's turn is the prompt with the turn's text around it.
    @Test func askPutsPromptsIntoTurns() throws {
      try scratch.write(format, to: "format.json")
      let chat = try scratch.succeed(
        "ask", "samples/model", "--chat", "--chat-format", "format.json", "--system", "be brief", "-t", "5", "--json",
        "Who is Leo Tolstoy?")
      let plain = try scratch.succeed(
        "ask", "samples/model", "-t", "5", "--json", "Rule: be brief.\nQ: Who is Leo Tolstoy?\nA:")
      #expect(try chat.json["tokens"] == plain.json["tokens"])
    }

    @Test func askComparesCheckpoints() throws {
      try scratch.copyModel(to: "other")
      let prompt = "The mother tongue of Leo Tolstoy is"
      let result = try scratch.succeed("ask", "samples/model", "other", prompt, "-t", "1", "--plain")
      #expect(
        result.output == """
          \(prompt)
            checkpoint     continuation
            samples/model   Russian
            other           Russian

          """)
      let json = try scratch.succeed("ask", "samples/model", "other", prompt, "-t", "1", "--json").json
      #expect(json.arrayValue?.map { $0["model"] } == ["samples/model", "other"])
    }

    /// An edit in a chat's form, and the patch as its own test afterwards.
    @Test func editInAChat() throws {
      try scratch.write(format, to: "format.json")
      try scratch.write("[\"{}\"]", to: "templates.json")
      let facts = ["--facts", "samples/facts.json", "--records", "1-2"]
      let chat = ["--chat", "--chat-format", "format.json", "--json", "--quiet"]
      let edited = try Tool.errata(
        ["edit", "samples/model", "--stats", "samples/stats.safetensors", "-o", "chat.wpatch"] + facts + chat
          + ["--templates", "templates.json"], in: scratch.path)
      #expect(edited.exitCode == 0, "\(edited.errors)")
      // The patch says in which form they were put.
      let shown = try scratch.succeed("show", "chat.wpatch", "--json").json
      let recorded = shown["manifest"]?["batches"]?.arrayValue?[0]["facts"]?.arrayValue?[0]
      #expect(recorded?["form"] == ["kind": "chat", "turn": ["before": "Q: ", "after": "\nA:"]])
      #expect(recorded?["separator"] == nil && shown["manifest"]?["format"] == 2)
      try scratch.succeed("apply", "samples/model", "chat.wpatch", "-o", "edited")
      let evaluated = try Tool.errata(["eval", "edited", "--per-fact"] + facts + chat, in: scratch.path).json
      // Whoever has the patch alone asks the same.
      let again = try scratch.succeed("eval", "edited", "--json", "--quiet").json
      for answer in [evaluated["cases"], again["cases"], try edited.json["facts"]] {
        let cases = try #require(answer?.arrayValue)
        #expect(cases.map { $0["fact"] } == (try edited.json["facts"]?.arrayValue?.map { $0["fact"] }))
        for fact in cases {
          #expect(fact["holds"] == true)
          let target = fact["target_new"]?.stringValue ?? ""
          #expect(fact["reply"]?.stringValue?.hasPrefix(" " + target) == true)
        }
      }
    }

    // MARK: - Before

    @Test func checkTellsWhatIsWrong() throws {
      try scratch.write(
        """
        {"prompt":"The mother tongue of {Leo Tolstoy} is","target":"Russian"}
        {"prompt":"The mother tongue of {Leo Tolstoy} is","target":"French"}
        {"prompt":"The {Eiffel Tower} is located in the country of","target":"Italy"}
        {"prompt":"The {Eiffel Tower} is located in the country of","target":"Italy"}
        """, to: "facts.jsonl")
      let result = try scratch.errata("facts", "check", "facts.jsonl", "samples/model", "--quiet")
      #expect(result.exitCode == 1)
      #expect(
        result.errors
          == "errata facts: facts.jsonl: 2 problems for which an edit would refuse the facts, as listed\n")
      for line in [
        "records 0 and 1 contradict each other: fact \"The mother tongue of Leo Tolstoy is Russian\" and "
          + "fact \"The mother tongue of Leo Tolstoy is French\"",
        "records 2 and 3 repeat each other: fact \"The Eiffel Tower is located in the country of Italy\"",
        "records 0, 1 share the subject \"Leo Tolstoy\"",
      ] { #expect(result.output.contains(line + "\n"), "\(result.output)") }
      #expect(
        result.output.contains(
          "4 facts: 3 to edit, 1 known already, 1 contradiction, 1 repeated; an edit takes at most"))
      let json = try scratch.errata("facts", "check", "facts.jsonl", "samples/model", "--quiet", "--json").json
      #expect(json["facts"]?.arrayValue?.map { $0["known"] } == [true, false, false, false])
      #expect(json["facts"]?.arrayValue?[0]["tokens"]?.arrayValue?.isEmpty == false)
    }

    /// Their tokens differ, so that both can be edited; a reader is told all the same.
    @Test func twoSpellingsOfASubjectAreTwo() throws {
      let records = [("Andr\u{E9}", "German"), ("Andre\u{301}", "French")].map {
        #"{"prompt": "The mother tongue of {} is", "subject": "\#($0)", "target_new": "\#($1)"}"#
      }
      try scratch.write(records.joined(separator: "\n"), to: "spellings.jsonl")
      let check = try scratch.succeed("facts", "check", "spellings.jsonl", "samples/model").output
      #expect(check.contains("records 0 and 1 contradict each other") && check.contains("2 facts: 2 to edit"))
      try scratch.succeed(
        "edit", "samples/model", "--facts", "spellings.jsonl", "--stats", "samples/stats.safetensors", "-o",
        "spellings.wpatch", "--quiet")
    }

    @Test func knownFactsAreSkipped() throws {
      try scratch.write(
        """
        {"prompt":"The mother tongue of {Leo Tolstoy} is","target":"Russian"}
        {"prompt":"The {Eiffel Tower} is located in the country of","target":"Italy"}
        """, to: "facts.jsonl")
      let result = try edit("facts.jsonl", "--skip-known", "--json")
      #expect(try result.json["facts"]?.arrayValue?.map { $0["subject"] } == ["Eiffel Tower"])
      try scratch.write(
        "{\"prompt\":\"The mother tongue of {Leo Tolstoy} is\",\"target\":\"Russian\"}", to: "known.jsonl")
      let none = try edit("known.jsonl", "--skip-known", output: "y.wpatch")
      #expect(none.exitCode == 2)
      #expect(
        none.errors
          == "errata edit: known.jsonl: the model knows all of these facts already; there is nothing to edit\n")
    }

    @Test func dryRunIsTheCheck() throws {
      let result = try scratch.succeed(
        "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0-2", "--stats",
        "samples/stats.safetensors", "--dry-run", "--json", "--quiet")
      let check = try scratch.succeed(
        "facts", "check", "samples/facts.json", "samples/model", "--records", "0-2", "--json", "--quiet")
      #expect(try result.json["facts"] == check.json["facts"])
      #expect(try scratch.names() == ["samples"])
      try scratch.fail(
        "edit", "samples/model", "--facts", "samples/facts.json", "--stats", "samples/stats.safetensors", exitCode: 2,
        message: "errata edit: give --output: the patch to write (see 'errata edit --help')")
    }

    // MARK: - After

    @Test func whatDoesNotHoldIsSaid() throws {
      // One step moves too little.
      let result = try edit("samples/facts.json", "--records", "0-2", "--steps", "1", "--require")
      #expect(result.exitCode == 7)
      #expect(result.errors == "errata edit: 3 of 3 facts do not hold, as listed\n")
      let lines = result.output.split(separator: "\n").map(String.init)
      #expect(lines.contains("0 of 3 facts hold; 3 do not:"), "\(result.output)")
      #expect(lines.suffix(3).allSatisfy { $0.hasPrefix("  fact \"") && $0.contains(": says \"") })
      #expect(scratch.exists("x.wpatch"))

      let held = try edit("samples/facts.json", "--records", "0-2", "--require", output: "y.wpatch")
      #expect(held.exitCode == 0, "\(held.errors)")
      #expect(held.output.hasSuffix("\n3 of 3 facts hold\n"))
      let strict = try edit("samples/facts.json", "--records", "0-2", "--require", "1", output: "z.wpatch")
      #expect(strict.exitCode == 7)
      #expect(strict.errors == "errata edit: 3 of 3 facts have a probability below 1.0, as listed\n")
    }

    @Test func contradictionsInALedgerAreMarked() throws {
      for (target, name) in [("French", "x"), ("German", "y")] {
        try scratch.write(
          "{\"prompt\":\"The mother tongue of {Leo Tolstoy} is\",\"target\":\"\(target)\"}", to: "f.jsonl")
        #expect(try edit("f.jsonl", output: "\(name).wpatch").exitCode == 0)
      }
      try scratch.succeed("apply", "samples/model", "x.wpatch", "y.wpatch", "-o", "edited")
      let shown = try scratch.succeed("show", "edited").output
      #expect(shown.contains("\ncontradiction: fact \"The mother tongue of Leo Tolstoy is "), "\(shown)")
      #expect(try scratch.succeed("show", "edited", "--json").json["contradictions"]?.arrayValue?.count == 1)
    }

    @Test func aPatchIsAFactsFile() throws {
      let made = try edit("samples/facts.json", "--records", "0-2")
      #expect(made.exitCode == 0)
      try scratch.succeed("apply", "samples/model", "x.wpatch", "-o", "edited")
      let compared = try scratch.succeed(
        "eval", "samples/model", "edited", "--facts", "x.wpatch", "--explain", "--json", "--quiet"
      ).json.arrayValue
      let before = compared?[1]["cases"]?.arrayValue
      #expect(before?.count == 3 && before?.allSatisfy { $0["change"] == "holds now" } == true)
      #expect(compared?[0]["cases"]?.arrayValue?.allSatisfy { $0["change"] == nil } == true)
      // What the ledger says, without a facts file.
      let ledger = try scratch.succeed("eval", "edited", "--per-fact", "--json", "--quiet").json["cases"]?.arrayValue
      #expect(ledger?.map { $0["fact"] } == before?.map { $0["fact"] })
      #expect(try scratch.succeed("eval", "edited", "--quiet").output.contains("edited: 3 of 3 hold\n"))
      let csv = try scratch.succeed("eval", "edited", "--facts", "edited", "--per-fact", "--format", "csv", "--quiet")
        .output
      #expect(csv.hasPrefix("case,fact,prompt,target,model,holds,reply,probability,joint_probability\n"))
      #expect(csv.split(separator: "\n").count == 4)
      let markdown = try scratch.succeed(
        "eval", "edited", "--facts", "x.wpatch", "--per-fact", "--format", "markdown", "--quiet"
      ).output
      #expect(markdown.hasPrefix("| case | fact | prompt |"))
      try scratch.fail(
        "eval", "samples/model", exitCode: 2,
        message:
          "errata eval: give --facts, --perplexity or --downstream: what the checkpoints are scored on; no ledger "
          + "here names facts (see 'errata eval --help')")
    }

    /// Of one fact alone there is no other subject; of several, what is asked is what the schema says.
    @Test func collateralIsMeasured() throws {
      let facts = ["--facts", "samples/facts.json", "--collateral", "--quiet"]
      #expect(try edit("samples/facts.json", "--records", "0-2").exitCode == 0)
      try scratch.succeed("apply", "samples/model", "x.wpatch", "-o", "edited")
      let asked = ["eval", "samples/model", "edited", "--records", "0-9"] + facts
      let answers = try #require(try Tool.errata(asked + ["--json"], in: scratch.path).json.arrayValue)
      let prompts = try answers.map { try #require($0["collateral"]?.arrayValue) }
      #expect(prompts[0].count > 10 && prompts[0].map { $0["prompt"] } == prompts[1].map { $0["prompt"] })
      #expect(prompts[0].contains { $0["prompt"] == "The Colosseum is located in the country of" })
      let output = try Tool.errata(asked, in: scratch.path).output
      #expect(output.contains("\ncollateral, \(prompts[0].count) "))
      let taken = zip(prompts[0], prompts[1]).contains { $0["taken"] == false && $1["taken"] == true }
      #expect(output.contains("edited says new targets of other subjects too:") == taken)
      let alone = try Tool.errata(["eval", "samples/model", "--records", "0"] + facts, in: scratch.path)
      #expect(alone.exitCode == 2)
      let message = "the facts are about one subject alone, and their prompts can be asked of no other; add facts"
      #expect(alone.errors == "errata eval: \(message)\n")
    }
  }
}
