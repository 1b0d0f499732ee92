import Foundation
import Testing

extension ToolTests {
  /// A model whose tokenizer is of the kind of Llama 2: a token for the beginning, a space before every text.
  @Suite struct SentencePiece {
    let scratch: Scratch

    /// The sample model with its tokenizer written in that form (make_fixtures.py): it knows what it knew.
    init() throws {
      scratch = try Scratch()
      try scratch.copyModel()
      try scratch.remove("model/tokenizer.json")
      try FileManager.default.copyItem(
        atPath: Samples.root + "/Tests/TokenizationTests/Fixtures/sample_llama2.tokenizer.json",
        toPath: scratch("model/tokenizer.json"))
    }

    /// A token before every text that only tokenizer_config.json asks for.
    @Test func saysThatTheBeginningIsNotAdded() throws {
      let notice =
        "model/tokenizer_config.json asks for <s> before every text, and tokenizer.json does not; Errata goes by "
        + "tokenizer.json. To have the token, add it to the post_processor there\n"
      func notices(_ configuration: String) throws -> String {
        try scratch.write(configuration, to: "model/tokenizer_config.json")
        return try scratch.succeed("ask", "model", "--tokens", "1", "--plain", "Hello").errors
      }
      #expect(try notices(#"{"add_bos_token": true, "bos_token": "<s>"}"#) == notice)
      #expect(try notices(#"{"add_bos_token": true, "bos_token": {"content": "<s>", "special": true}}"#) == notice)
      #expect(try notices(#"{"add_bos_token": false, "bos_token": "<s>"}"#) == "")
      #expect(try notices(#"{"add_bos_token": true, "bos_token": null}"#) == "")
      // tokenizer.json adds this one.
      #expect(try notices(#"{"add_bos_token": true, "bos_token": "<|endoftext|>"}"#) == "")
      #expect(try notices("no JSON") == "")
    }

    @Test func editsAndAnswers() throws {
      let prompt = "The Eiffel Tower is located in the country of"
      #expect(try scratch.succeed("ask", "model", "--tokens", "2", "--plain", prompt).output == prompt + " France.\n")
      try scratch.succeed(
        "stats", "model", "--text", "samples/corpus.txt", "--layers", "1", "--tokens", "8000", "-o",
        "stats.safetensors", "--quiet")
      let report = try scratch.succeed(
        "edit", "model", "--facts", "samples/facts.json", "--records", "0-2", "--stats", "stats.safetensors",
        "--layers", "1", "-o", "fix.wpatch", "--quiet", "--json"
      ).json
      for fact in try #require(report["facts"]?.arrayValue) {
        #expect(try #require(fact["probability_after"]?.doubleValue) > 0.9)
      }
      try scratch.succeed("apply", "model", "fix.wpatch", "-o", "edited", "--quiet")
      #expect(try scratch.succeed("ask", "edited", "--tokens", "2", "--plain", prompt).output == prompt + " Italy.\n")
      let answer = try scratch.succeed("ask", "edited", "--tokens", "2", "--json", prompt).json
      #expect(answer["continuation"] == " Italy.")
      #expect(answer["tokens"]?.arrayValue?.map { $0["text"] } == [" Italy", "."])
      #expect(try scratch.succeed("ask", "edited", "--tokens", "2", prompt).output.contains("\n  Italy 99."))
    }
  }
}
