import Adapters
import ArgumentParser
import Facts
import KnowledgeEditing
import Tensors
import ToolSupport
import Transformer
import WeightPatch

struct Ask: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata ask",
    abstract: "Lets a checkpoint continue a prompt.",
    discussion: """
      Prints the continuation, and under it each token with its probability. The most likely token is taken at each \
      place; with --temperature, tokens are drawn, the same ones for the same --seed.

      --adapter and --patch let low-rank changes stand beside the weights, in float32, as a server does that has not \
      merged them: what is asked is what is served, and the checkpoint stays as it is.
      """,
    version: errataVersion)

  @Argument(help: "The checkpoint's directory, or the model's name in the download cache.")
  var model: String

  @Argument(help: "The prompts.")
  var prompts: [String]

  @Option(name: [.short, .long], help: "How many tokens to add.")
  var tokens = 8

  @Option(help: "Draw tokens from probability^(1 / temperature) instead of taking the most likely.")
  var temperature: Double?

  @Option(help: "Draw from this many of the most likely tokens.")
  var topK = 40

  @Option(help: "The seed of the draws.")
  var seed: UInt64 = 0

  @Option(parsing: .singleValue, help: "A PEFT folder or GGUF adapter beside the weights. May be repeated.")
  var adapter: [String] = []

  @Option(parsing: .singleValue, help: "A patch beside the weights, not applied. May be repeated.")
  var patch: [String] = []

  @Flag(help: "Print the continuation alone.")
  var plain = false

  @OptionGroup
  var json: JSONOption

  func validate() throws {
    if tokens < 1 { throw ValidationError("--tokens must be positive") }
    if topK < 1 { throw ValidationError("--top-k must be positive") }
    if let temperature, !(temperature > 0) { throw ValidationError("--temperature must be positive") }
  }

  func run() throws {
    let opened = try OpenedCheckpoint(path: model, notice: printNotice)
    let model = try opened.model()
    if !adapter.isEmpty || !patch.isEmpty {
      let patches = try patch.map { try PatchFile(path: $0) }
      for changes in try LowRankAdapter.beside(opened.state(), adapters: adapter, patches: patches) {
        changes.attach(to: model.decoder)
      }
    }
    let tokenization = PromptTokenization(model.tokenizer)
    var random = RandomSource(seed: seed)
    let choice = temperature.map { TokenChoice.sampled(count: topK, temperature: $0) } ?? .greedy
    let inputs = try prompts.map { prompt in
      let tokens = try tokenization.prompt(prompt)
      guard !tokens.isEmpty else { throw ErrataError.emptyPrompt(prompt) }
      return tokens
    }
    let generated = try model.decoder.generate(
      inputs, count: tokens, choice: choice, random: &random, ends: model.tokenizer.specialTokens)
    json.give(
      zip(prompts, generated).map { prompt, tokens in
        AskReport(prompt: prompt, tokens: tokens, tokenization: tokenization, isPlain: plain)
      })
  }
}
