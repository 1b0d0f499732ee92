import Adapters
import Foundation
import Tensors
import ToolSupport
import WeightPatch

/// What `errata export` says when it is done.
struct ExportReport: Answer {
  let kind = "export"

  let export: AdapterExport
  let format: AdapterExport.Format
  let path: String
  let check: FactCheck?
  /// Facts of the patches that contradict each other, in words.
  let contradictions: [String]

  var notices: [String] { contradictions.map { "note: \($0)" } }

  private var name: String { URL(fileURLWithPath: path).lastPathComponent }
  private var modules: [(stored: LowRankAdapter.Module, exact: LowRankAdapter.Module, error: Double)] {
    zip(zip(export.stored.modules, export.exact.modules), export.errors).map { ($0.0, $0.1, $1) }
  }
}

// MARK: - For people

extension ExportReport {
  var lines: [String] {
    [checkTable, table].compactMap { $0 }.flatMap { $0 + [""] } + [summary, serving]
  }

  private var checkTable: [String]? {
    guard let check else { return nil }
    var table = TextTable([
      ("subject", .left), ("new target", .left), ("P before", .right), ("P applied", .right), ("P exported", .right),
    ])
    for (index, fact) in check.facts.enumerated() {
      table.append(
        [printable(fact.subject), printable(fact.targetNew)]
          + [check.before[index], check.applied[index], check.exported[index]].map {
            formatPercent($0)
          })
    }
    return table.lines
  }

  private var table: [String] {
    var table = TextTable([("module", .left), ("terms", .right), ("stored", .left), ("lost of D", .right)])
    for (stored, exact, error) in modules {
      let name = format == .gguf ? stored.target.ggufName ?? "" : stored.target.module
      table.append([
        printable(name), exact.isZero ? "0" : "\(exact.rank)", export.dtype.rawValue, formatShare(error, digits: 2),
      ])
    }
    return table.lines
  }

  private var summary: String {
    let facts = export.facts.isEmpty ? "" : ", \(counted(export.facts.count, "fact"))"
    let kind = format == .peft ? "a PEFT adapter" : "a GGUF adapter"
    return
      "\(path): \(kind) of \(counted(export.patches.count, "patch", "patches"))\(facts), rank \(export.stored.rank), "
      + "scale 1, \(export.dtype.rawValue)"
  }

  private var serving: String {
    if format == .gguf { return "llama-server -m \(export.base.name).gguf --lora \(path)" }
    if export.isTooWideForVLLM { return "vLLM takes ranks up to 512: --rank 512 cuts it; all other servers take it" }
    return export.vLLMCommand(name: name)
  }
}

// MARK: - For programs

extension ExportReport {
  var json: JSON {
    var answer = JSONObject([
      "output": JSON(path), "format": JSON(format.rawValue),
      "patches": .array(export.patches.map { JSON($0.identifier.description) }), "facts": .integer(export.facts.count),
      "rank": .integer(export.stored.rank), "type": JSON(export.dtype.rawValue),
      "vllm_max_lora_rank": export.isTooWideForVLLM ? .null : .integer(export.servedRank ?? 16),
      "modules": .array(
        modules.map { stored, exact, error in
          [
            "module": JSON(stored.target.module), "tensor": .string(stored.target.tensor),
            "gguf": stored.target.ggufName.map { JSON($0) } ?? .null,
            "terms": .integer(exact.isZero ? 0 : exact.rank), "delta_error": .double(error),
          ]
        }),
    ])
    if let check {
      answer["check"] = .array(
        check.facts.indices.map { index in
          [
            "fact": JSON(check.facts[index].identifier), "before": .double(check.before[index]),
            "applied": .double(check.applied[index]), "exported": .double(check.exported[index]),
          ]
        })
    }
    return .object(answer)
  }
}
