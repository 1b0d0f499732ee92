import Adapters
import ArgumentParser
import CheckpointLedger
import Foundation
import Tensors
import ToolSupport
import WeightPatch

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata import",
    abstract: "Makes a patch of a low-rank adapter: it is then applied exactly, and taken back bit for bit.",
    discussion: """
      Reads a LoRA as PEFT saves it, a folder with adapter_config.json and adapter_model.safetensors, or a GGUF \
      adapter. Its factors become the components of a batch; a scale (alpha / r) that is a power of two goes into \
      them exactly, and another rounds them once, to float32, which is said.

      A module that the checkpoint has with others in one tensor (q_proj in qkv_proj, gate_proj in gate_up_proj), or \
      the other way round, finds its place.

      Also changes of weights as EasyEdit and the memit code have them, from a safetensors or .npz file: for a weight \
      N the pair N.0 (keys, d_in x E) and N.1 (values, d_out x E), or the whole change as N or N.0, which is cut to \
      the rank that its type's rounding leaves. A .pt file of them is a pickle; torch makes it one that can be read:

        tensors = {}
        for name, parts in torch.load("deltas.pt").items():
          for i, part in enumerate(parts):
            tensors[f"{name}.{i}"] = part.contiguous()
        save_file(tensors, "deltas.safetensors")

      What factors beside the weights cannot say is refused by its name: DoRA, modules_to_save, biases, embeddings. So \
      are weights in a pickle (adapter_model.bin), which can run code: convert them to safetensors first.
      """,
    version: errataVersion)

  @Argument(help: "The adapter: a folder in PEFT's format, a GGUF file, or weight deltas: safetensors or .npz.")
  var adapter: String

  @Option(help: "The checkpoint that it is for, without patches: its directory, or its name in the download cache.")
  var base: String

  @OptionGroup
  var output: PatchOutputOptions

  @OptionGroup
  var origin: OriginOptions

  @OptionGroup
  var json: JSONOption

  func run() throws {
    try PatchWriter.checkOutput(output.path, replacing: output.replacement.isAllowed)
    let state = try CheckpointState(path: base, notice: printNotice)
    guard !state.isEdited else { throw ErrataError.importBaseIsEdited(base) }
    let base = try AdapterBase(state.checkpoint)
    let imported = try ImportedAdapter(AdapterFile.read(adapter, for: base), for: base, path: adapter)
    let patch = try imported.write(to: output.path, origin: origin.origin())
    json.give(ImportReport(imported: imported, patch: patch, path: output.path))
  }
}
