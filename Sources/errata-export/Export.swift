import Adapters
import ArgumentParser
import CheckpointLedger
import KnowledgeEditing
import Tensors
import ToolSupport
import WeightPatch

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata export",
    abstract: "Writes patches as a low-rank adapter, which servers add to a model that they have loaded.",
    discussion: """
      A patch is low-rank factors, and so is an adapter: nothing is lost but what --type rounds, and that is said. The \
      model stays as it is, also where it is quantized (GGUF, bitsandbytes, GPTQ, AWQ), which no patch can be applied \
      to.

      --to peft writes a folder that transformers with PEFT, vLLM, TGI and Ollama load: adapter_config.json, \
      adapter_model.safetensors, and a README.md that says what is in it and how each server loads it. --to gguf \
      writes a file for llama.cpp (--lora FILE) and Ollama. All modules get one rank, with alpha the same, so that the \
      scale is 1 for every server.

      Names and orientation come from the base's config.json. Corrections ('errata diff'), and changes of norms, \
      embeddings and heads, are no low-rank change of a linear map, and are refused.

      --check asks the model the patches' facts three times: without them, with them applied to the weights, and with \
      the adapter as it was written.
      """,
    version: errataVersion)

  @Argument(help: "The patches, - for standard input. What two of them share counts once.")
  var patches: [String]

  @Option(name: .customLong("to"), help: "peft or gguf.")
  var format: AdapterExport.Format

  @Option(help: "The checkpoint that the patches were made for: its directory, or its name in the download cache.")
  var base: String

  @Option(name: [.short, .long], help: "The folder (peft) or file (gguf) to write; nothing may be there.")
  var output: String

  @Option(help: "How numbers are stored: f32, f16 or, for peft, bf16.")
  var type = AdapterType.f32

  @Option(parsing: .unconditional, help: "Cut tensors with more terms to this many, by what the facts lose.")
  var rank: Int?

  @Flag(help: "Write zeros for the layers that the patches leave alone: some servers ask for all layers of a kind.")
  var allModules = false

  @Flag(help: "Measure the facts on the base, with the patches applied, and with what was written.")
  var check = false

  @OptionGroup
  var json: JSONOption

  enum AdapterType: String, ExpressibleByArgument, CaseIterable {
    case f32, f16, bf16

    var dtype: DType {
      switch self {
      case .f32: .f32
      case .f16: .f16
      case .bf16: .bf16
      }
    }
  }

  func validate() throws {
    if patches.isEmpty { throw ValidationError("name at least one patch") }
    if format == .gguf, type == .bf16 { throw ValidationError("--type bf16 goes with --to peft") }
    if let rank, !(1...65_536).contains(rank) { throw ValidationError("--rank is a number from 1 to 65536") }
  }

  func run() throws {
    try AdapterExport.checkOutput(output)
    let opened = try OpenedCheckpoint(path: base, notice: printNotice)
    let state = try opened.state()
    guard !state.isEdited else { throw ErrataError.exportBaseIsEdited(base) }
    let files = try patches.map { try PatchFile(path: $0) }
    // That the patches are for this base, and stand on each other.
    let plan = try state.planApply(files, time: "")
    let export = try AdapterExport(
      plan.patches, for: AdapterBase(opened.checkpoint), as: type.dtype, rank: rank, coversAllLayers: allModules)
    if check, export.facts.isEmpty { throw ErrataError.nothingToCheck }
    var measured: FactCheck?
    try export.write(to: output, as: format, created: timestamp()) { adapter in
      if check { measured = try FactCheck(export.facts, opened, plan.patches, adapter) }
    }
    json.give(
      ExportReport(
        export: export, format: format, path: output, check: measured, contradictions: plan.contradictions))
  }
}

extension AdapterExport.Format: ExpressibleByArgument {}
