import Foundation
import Testing

extension ToolTests {
  /// Second moments, texts and settings that cannot be used.
  @Suite struct BadStatistics {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func fail(
      _ options: [String], model: String = "samples/model", exitCode: Int32, message: String,
      at location: SourceLocation = #_sourceLocation
    ) throws {
      let statistics = options.contains("--stats") ? [] : ["--stats", "samples/stats.safetensors"]
      try scratch.fail(
        ["edit", model, "--facts", "samples/facts.json", "--records", "0", "-o", "o.wpatch"] + statistics + options,
        exitCode: exitCode, message: "errata edit: \(message)", at: location)
    }

    @Test func missing() throws {
      try fail(["--stats", "nowhere"], exitCode: 1, message: "nowhere: cannot open: no such file or directory")
    }

    @Test func damaged() throws {
      try scratch.write(try scratch.bytes("samples/stats.safetensors").prefix(100_000), to: "cut")
      try fail(
        ["--stats", "cut"], exitCode: 6,
        message: "cut: truncated: the header describes 3146696 bytes, the file has 100000; fetch it again")
      try fail(
        ["--stats", "samples/model/model.safetensors"], exitCode: 6,
        message: "samples/model/model.safetensors: not a file of second moments: its metadata lacks "
          + "'errata.second_moments'")
    }

    @Test func ofAnotherModel() throws {
      try scratch.spoilWeight(ofLayer: 1)
      try fail(
        [], model: "model", exitCode: 3,
        message:
          "samples/stats.safetensors: belongs to another model: layer 1's down-projection was fed1455eee19 when it "
          + "was collected and is ae6f471d6606 here; collect it again with 'errata stats'")
    }

    @Test func ofAnotherTokenizer() throws {
      try scratch.copyModel()
      try scratch.write(try scratch.bytes("model/tokenizer.json") + Array("\n".utf8), to: "model/tokenizer.json")
      try fail(
        [], model: "model", exitCode: 3,
        message: "samples/stats.safetensors: was collected with another tokenizer; collect it again with 'errata stats'"
      )
    }

    @Test func withoutTheLayer() throws {
      try fail(
        ["--layers", "3"], exitCode: 1,
        message: "samples/stats.safetensors: has no second moments of layer 3, only of 0, 1, 2; "
          + "collect them with 'errata stats --layers 3'")
    }

    @Test func ofTooFewTokens() throws {
      let made = try scratch.succeed(
        "stats", "samples/model", "--text", "samples/corpus.txt", "--tokens", "300", "--layers", "1",
        "--sequence-length", "128", "-o", "few")
      #expect(made.output.hasPrefix("few: second moments of layer 1 over 384 tokens of corpus.txt\n"))
      #expect(made.output.contains(" singular: count 4736 more tokens, or add --ridge 1e-4\n"))
      try fail(
        ["--stats", "few"], exitCode: 1,
        message: "the second moments of layer 1 are singular: 384 tokens were counted, and keys have 512 values; "
          + "count at least 5120 tokens with 'errata stats --tokens', or add --ridge 1e-4")
      try scratch.succeed(
        "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0", "--stats", "few", "--ridge", "1e-4",
        "-o", "o.wpatch", "--quiet")
    }

    @Test(arguments: [
      (["--layers", "6"], "layer 6 does not exist: the model has layers 0 to 5"),
      (["--layers", "2,1"], "layers must ascend without repetition, found 2,1"),
      (["--layers", "1,1"], "layers must ascend without repetition, found 1,1"),
      (["--layers", "one"], "'one' is not a list of layers; give numbers like 5, 3,4,5 or 3-5"),
      (["--method", "rome", "--layers", "0-1"], "rome edits one layer; give one with --layers"),
      (
        ["--preset", "gpt5"],
        "there is no preset 'gpt5', only errata-sample, smollm2-135m, gpt2-xl, gpt2-large, gpt2-medium, gpt-j-6b, "
          + "llama-2-7b, llama-3-8b, llama-3.2-1b, llama-3.2-3b, mistral-7b, glm-4-9b, qwen2.5-7b (see 'errata edit "
          + "--help')"
      ),
      (["--steps", "0"], "--steps must be positive (see 'errata edit --help')"),
      (["--learning-rate", "0"], "--learning-rate must be positive (see 'errata edit --help')"),
      (["--ridge", "inf"], "--ridge must be zero or more (see 'errata edit --help')"),
      (["--published-rome"], "--published-rome goes with --method rome (see 'errata edit --help')"),
      (["--nonsense"], "Unknown option '--nonsense' (see 'errata edit --help')"),
    ])
    func badSettings(options: [String], message: String) throws {
      try fail(options, exitCode: 2, message: message)
    }

    @Test func aSearchThatDiverges() throws {
      try scratch.write(
        #"[{"requested_rewrite": {"prompt": "The {} is", "subject": "Eiffel Tower", "target_new": {"str": "Italy"}}}]"#,
        to: "facts.json")
      let edit = [
        "edit", "samples/model", "--facts", "facts.json", "-o", "o.wpatch", "--stats", "samples/stats.safetensors",
      ]
      try scratch.fail(
        edit + ["--learning-rate", "1e300"], exitCode: 1,
        message: "errata edit: fact \"The Eiffel Tower is Italy\": the value search diverged; "
          + "try a smaller --learning-rate or --clamp, or another layer")
      // Losses that are huge but finite: whether an edit comes of it or not, the tool does not break.
      let huge = try Tool.errata(edit + ["--learning-rate", "1e37", "--clamp", "1e30"], in: scratch.path)
      #expect((0...1).contains(huge.exitCode), "\(huge.errors)")
    }

    @Test func badTemplates() throws {
      try scratch.write(#"["{} is", "no slot"]"#, to: "templates.json")
      try fail(
        ["--templates", "templates.json"], exitCode: 2,
        message: #"the context template "no slot" must contain {} exactly once, where the prompt stands"#)
      try scratch.write(#"["{} is", 3]"#, to: "templates.json")
      try fail(
        ["--templates", "templates.json"], exitCode: 2,
        message: "templates.json: context templates are a JSON array of strings")
      try scratch.write("[1,", to: "templates.json")
      try fail(
        ["--templates", "templates.json"], exitCode: 2,
        message: "templates.json: not valid JSON at byte 3: the text ends where a value is expected")
      try scratch.write(String(repeating: "[", count: 100_000), to: "templates.json")
      try fail(
        ["--templates", "templates.json"], exitCode: 6,
        message: "templates.json: not valid JSON at byte 64: nested more than 64 levels deep")
    }

    @Test func badTexts() throws {
      func fail(_ text: String, _ exitCode: Int32, _ message: String) throws {
        try scratch.fail(
          "stats", "samples/model", "--text", text, "-o", "out", exitCode: exitCode,
          message: "errata stats: \(text): \(message)")
      }
      try fail("nowhere", 1, "cannot open: no such file or directory")
      try fail("samples/model/model.safetensors", 6, "line 1 is not UTF-8 text")
      try scratch.write("", to: "empty.txt")
      try fail("empty.txt", 1, "holds only 0 tokens; a text of at least a few thousand is needed")
      try scratch.write(#"{"text": "a"}"# + "\n" + #"{"body": "b"}"#, to: "a.jsonl")
      try fail(
        "a.jsonl", 1, "line 2 is no object with a text in its field 'text'; name the field with --field")
      try scratch.write(#"{"text": "a"}"# + "\n{", to: "b.jsonl")
      try fail("b.jsonl", 6, "line 2 is not valid JSON: a key is expected at byte 1")
      try scratch.fail(
        "stats", "samples/model", "--text", "samples/corpus.txt", "--field", "body", "-o", "out", exitCode: 2,
        message: "errata stats: a field goes with a text whose name ends in .jsonl")
      try scratch.fail(
        "stats", "samples/model", "--text", "a.jsonl", "--text", "a.jsonl", "-o", "out", exitCode: 2,
        message: "errata stats: a.jsonl: is given twice; its tokens would count twice")
    }
  }
}
