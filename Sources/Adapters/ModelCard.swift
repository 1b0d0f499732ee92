import Foundation
import Tensors
import WeightPatch

/// The README.md of an adapter: what it changes, where it comes from, and how each server loads it. All that it quotes
/// comes from patches, and is shown as text.
struct ModelCard {
  private let export: AdapterExport
  /// The folder's name, under which it is served.
  private let name: String
  private let created: String

  init(_ export: AdapterExport, path: String, created: String) {
    self.export = export
    name = URL(fileURLWithPath: path).lastPathComponent
    self.created = created
  }

  var text: String {
    ([frontMatter, heading] + [facts, provenance].compactMap { $0 } + [serving]).joined(separator: "\n\n") + "\n"
  }

  private var model: String { export.base.name }

  // MARK: - Parts

  /// Strings of JSON are strings of YAML.
  private var frontMatter: String {
    func quoted(_ text: String) -> String { String(decoding: JSON(text).serialized(), as: UTF8.self) }
    var lines = ["---", "base_model: \(quoted(model))", "library_name: peft", "tags:", "- lora", "- knowledge-editing"]
    if let licence = export.licence { lines.insert("license: \(quoted(licence))", at: 2) }
    return (lines + ["---"]).joined(separator: "\n")
  }

  private var heading: String {
    let count = export.facts.count
    let what = count > 0 ? "\(count) corrected fact\(count == 1 ? "" : "s")" : "A change"
    return """
      # \(escaped(name))

      \(what) for \(escaped(model)), as a low-rank adapter: rank \(export.stored.rank), alpha the same, so that its \
      scale is 1; \(export.dtype.rawValue). Made by Errata from the patch\(export.patches.count == 1 ? "" : "es") \
      below, which can also be applied to the weights themselves, exactly, and be taken back.
      """
  }

  private var facts: String? {
    guard !export.facts.isEmpty else { return nil }
    let rows = export.facts.map { fact in
      let outcome = fact.outcome
      return "| \(escaped(fact.question)) | \(escaped(fact.targetTrue ?? "")) | \(escaped(fact.targetNew)) "
        + "| \(percent(outcome?.probabilityBefore)) | \(percent(outcome?.probabilityAfter)) |"
    }
    return
      (["## Facts", "", "| prompt | before | now | P before | P now |", "|---|---|---|---|---|"] + rows + [
        "",
        "P is the probability of a token of the new answer, the geometric mean, measured on the checkpoint with the "
          + "patch.",
      ]).joined(separator: "\n")
  }

  private var provenance: String? {
    let rows = export.patches.map { file in
      let manifest = file.manifest
      let methods = manifest.batches.map(\.method.name)
      let fields = [
        file.identifier.description, Array(Set(methods)).sorted().joined(separator: ", "), manifest.author ?? "",
        manifest.licence ?? "", manifest.created, manifest.note ?? "",
      ]
      return "| " + fields.map(escaped).joined(separator: " | ") + " |"
    }
    return
      (["## Patches", "", "| patch ID | method | author | licence | created | note |", "|---|---|---|---|---|---|"]
      + rows)
      .joined(separator: "\n") + "\n\nExported \(created)."
  }

  private var serving: String {
    """
    ## Load it

    transformers with PEFT:

    ```python
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("\(code(model))"), "\(code(name))")
    ```

    vLLM\(export.isTooWideForVLLM ? " takes ranks up to 512; export with `--rank 512` for it." : """
    :

    ```sh
    \(code(export.vLLMCommand(name: name)))
    ```
    """)

    TGI:

    ```sh
    text-generation-launcher --model-id \(code(model)) --lora-adapters \(code(name))=\(code(name))
    ```

    Ollama, for the architectures that it converts, with this Modelfile in the folder above:

    ```
    FROM \(code(model))
    ADAPTER ./\(code(name))
    ```

    llama.cpp, and Ollama for every architecture, take the same patch exported with `errata export --to gguf`:

    ```sh
    llama-server -m model.gguf --lora \(code(name)).gguf
    ```
    """
  }

  // MARK: - Text

  private func percent(_ probability: Double?) -> String {
    probability.map { String(format: "%.1f%%", 100 * $0) } ?? ""
  }

  /// On one line, and without what Markdown would obey.
  private func escaped(_ text: String) -> String {
    code(text).reduce(into: "") { result, character in
      if "\\`*_{}[]<>()#+!|~&".contains(character) { result.append("\\") }
      result.append(character)
    }
  }

  /// On one line, without what a terminal or a code block would obey.
  private func code(_ text: String) -> String {
    text.escapingUnprintable { _ in "\u{FFFD}" }.map { $0.isNewline || $0 == "`" || $0 == "\t" ? " " : String($0) }
      .joined()
  }
}

extension AdapterExport {
  /// The command line that serves the adapter, where its rank allows that.
  ///
  /// - Parameter name: of its folder.
  package func vLLMCommand(name: String) -> String {
    let rank = servedRank.map { " --max-lora-rank \($0)" } ?? ""
    return "vllm serve \(base.name) --enable-lora\(rank) --lora-modules \(name)=\(name)"
  }
}
