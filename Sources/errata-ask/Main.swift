import Adapters
import ArgumentParser
import Facts
import Foundation
import KnowledgeEditing
import LinearAlgebra
import Tensors
import ToolSupport
import Transformer
import WeightPatch

@main
struct Main {
  static func main() {
    WidestKernels.use()
    ToolMain.run(Ask.self)
  }
}

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

  @Flag(help: "Print the result as JSON.")
  var json = false

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
    if json {
      printJSON(.array(zip(prompts, generated).map { describe($0, $1, tokenization) }))
      return
    }
    for (prompt, tokens) in zip(prompts, generated) {
      print(text: prompt + text(tokens, tokenization))
      if !plain { print(table(tokens, tokenization)) }
    }
  }

  private func text(_ tokens: [GeneratedToken], _ tokenization: PromptTokenization) -> String {
    tokenization.continuation(tokens.map(\.id), skippingSpecialTokens: true)
  }

  /// Each token with its probability in percent, on one line.
  private func table(_ tokens: [GeneratedToken], _ tokenization: PromptTokenization) -> String {
    "  "
      + tokens.map { token in
        let text = tokenization.continuation([token.id]).replacingOccurrences(of: "\n", with: "\\n")
        return "\(text.trimmingCharacters(in: .whitespaces)) \(percentage(token.probability))"
      }.joined(separator: " | ")
  }

  private func percentage(_ probability: Double) -> String {
    String(format: "%.1f%%", 100 * probability)
  }

  private func describe(_ prompt: String, _ tokens: [GeneratedToken], _ tokenization: PromptTokenization) -> JSON {
    [
      "prompt": JSON(prompt), "continuation": JSON(text(tokens, tokenization)),
      "tokens": .array(
        tokens.map {
          [
            "id": .integer(Int($0.id)), "text": JSON(tokenization.continuation([$0.id])),
            "probability": .double($0.probability),
          ]
        }),
    ]
  }
}
