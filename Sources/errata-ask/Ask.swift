import Adapters
import ArgumentParser
import Foundation
import KnowledgeEditing
import Tensors
import ToolSupport
import Transformer
import WeightPatch

struct Ask: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata ask",
    abstract: "Lets a checkpoint continue a prompt, or talks with it.",
    discussion: """
      Prints the continuation, and under it each token with its probability. The most likely token is taken at each \
      place; with --temperature, tokens are drawn, the same ones for the same --seed.

      With several checkpoints, the base and the edited one for example, each prompt is answered by all of them. \
      Without a prompt, the lines of standard input are one side of a conversation, each answered in the model's chat \
      format.

      --adapter and --patch let low-rank changes stand beside the weights, in float32, as a server does that has not \
      merged them: what is asked is what is served, and the checkpoint stays as it is.
      """,
    version: errataVersion)

  @Argument(help: "The checkpoint's directory, or the model's name in the download cache.")
  var model: String

  @Argument(help: "The prompts; before them, directories of other checkpoints that are to answer too.")
  var prompts: [String] = []

  @OptionGroup
  var form: FormOptions

  @Option(
    name: [.short, .long], help: "How many tokens to add (default: 8; in a chat 256, or as many as the reply has).")
  var tokens: Int?

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

  /// The directories among the arguments: what comes first and is a checkpoint.
  private var paths: [String] { [model] + prompts.prefix(while: Self.isCheckpoint) }
  private var questions: [String] { Array(prompts.dropFirst(paths.count - 1)) }
  private var isChat: Bool { form.chat || questions.isEmpty }

  private static func isCheckpoint(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path + "/config.json")
  }

  func validate() throws {
    if let tokens, tokens < 1 { throw ValidationError("--tokens must be positive") }
    if topK < 1 { throw ValidationError("--top-k must be positive") }
    if let temperature, !(temperature > 0) { throw ValidationError("--temperature must be positive") }
    if questions.isEmpty, json.isGiven { throw ValidationError("--json goes with prompts") }
    if paths.count > 1, !adapter.isEmpty || !patch.isEmpty {
      throw ValidationError("--adapter and --patch go with one checkpoint")
    }
  }

  func run() throws {
    let speakers = try paths.map(speaker)
    if questions.isEmpty { return try Conversation(speakers).run() }
    let answers = try speakers.map { try $0.answers(questions) }
    let reports = questions.indices.map { index in
      zip(speakers, answers).map {
        AskReport(
          prompt: questions[index], tokens: $1[index], speaker: $0, isOneOfSeveral: speakers.count > 1, isPlain: plain)
      }
    }
    let compared = reports.flatMap { AskReport.compared($0) }
    json.give(reports.flatMap { $0 }, lines: speakers.count > 1 ? compared : nil)
  }

  private func speaker(_ path: String) throws -> Speaker {
    let opened = try OpenedCheckpoint(path: path, notice: printNotice)
    let model = try opened.model()
    if !adapter.isEmpty || !patch.isEmpty {
      let patches = try patch.map { try PatchFile(path: $0) }
      for changes in try LowRankAdapter.beside(opened.state(), adapters: adapter, patches: patches) {
        changes.attach(to: model.decoder)
      }
    }
    let format = isChat ? try form.chatFormat.map(ChatFormat.init(contentsOf:)) ?? ChatFormat(of: model) : nil
    return Speaker(
      name: path, model: model, format: format, system: form.system, tokenCount: tokens ?? (isChat ? 256 : 8),
      choice: temperature.map { TokenChoice.sampled(count: topK, temperature: $0) } ?? .greedy, seed: seed)
  }
}
