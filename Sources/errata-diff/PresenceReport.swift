import CheckpointLedger
import PatchAlgebra
import Tensors
import ToolSupport
import WeightPatch

/// What is said of one or several patches and a checkpoint.
struct PresenceReport: Answer {
  let kind = "diff.presence"

  let files: [PatchFile]
  let checkpoint: String
  let base: String?
  let presence: PatchPresence

  var lines: [String] {
    let names = files.map { "\($0.path) (patch \($0.identifier.abbreviated), \($0.extent))" }
    var lines = ["\(names.joined(separator: ", ")): \(verdict)"]
    if presence.hasLedger {
      for (index, batch) in presence.batches.enumerated() {
        lines.append(printable("batch \(index)  \(batch.digest.abbreviated)  \(carriers(batch.carriers))"))
      }
      lines += factTable
    }
    return lines + tensorTable
  }

  private var verdict: String {
    let (are, they, these) = files.count == 1 ? ("is", "it edits", "this patch") : ("are", "they edit", "these patches")
    return switch (presence.verdict, presence.hasLedger) {
    case (.applied, true): "\(are) in \(checkpoint), by its ledger"
    case (.partly, true): "\(are) partly in \(checkpoint), by its ledger"
    case (.notApplied, true): "\(are) not in \(checkpoint), by its ledger"
    case (.applied, false): "\(are) in the tensors of \(checkpoint) that \(they), exactly and alone; there is no ledger"
    case (.partly, false): "\(are) in some tensors of \(checkpoint); there is no ledger"
    case (.notApplied, false): "\(are) not in \(checkpoint), which holds the base in the tensors that \(they)"
    case (.unknown, _):
      "\(checkpoint) has no ledger, and holds neither the base nor the base plus \(these)"
        + (base == nil ? " (--base compares it with its base)" : "")
    }
  }

  private func carriers(_ entries: [Ledger.Entry]) -> String {
    entries.isEmpty ? "not applied" : "in " + entries.map(\.description).joined(separator: ", ")
  }

  /// Facts are worth listing where they do not follow from the batches.
  private var factTable: [String] {
    guard presence.verdict != .applied, presence.facts.contains(where: { !$0.carriers.isEmpty }) else { return [] }
    var table = TextTable([("fact", .left), ("subject", .left), ("target", .left), ("", .left)])
    for (fact, entries) in presence.facts {
      table.append([
        fact.identifier, elide(printable(fact.subject), to: 32), elide(printable(fact.targetNew), to: 32),
        printable(carriers(entries)),
      ])
    }
    return [""] + table.lines
  }

  private var tensorTable: [String] {
    var table = TextTable([("tensor", .left), ("", .left)])
    for (name, state) in presence.tensors { table.append([printable(name.description), text(state)]) }
    return [""] + table.lines
  }

  private func text(_ state: PatchPresence.TensorState) -> String {
    switch state {
    case .asRecorded: return "as the ledger says"
    case .changedSinceApply: return "is not what the ledger says"
    case .base: return "the base"
    case .result:
      return files.count == 1 ? "the base plus the patch, bit for bit" : "the base plus the patches, bit for bit"
    case .missing: return "is missing"
    case .reshaped: return "has another shape"
    case .retyped(let found, let expected, let isBase):
      let types = "\(found.rawValue), not \(expected.rawValue)"
      return isBase ? "the base in another type (\(types)): only the dtype differs" : "has another type (\(types))"
    case .other(let projection):
      guard let projection else { return "something else" }
      return
        "something else: has \(formatNumber(projection.share)) of the \(files.count == 1 ? "patch's" : "patches'") "
        + "change D, and is \(formatNumber(projection.distance)) |D| away from it"
    }
  }

  var json: JSON {
    [
      "checkpoint": JSON(checkpoint), "patches": .array(files.map(\.json)), "base": JSON(base),
      "verdict": JSON(presence.verdict.rawValue), "has_ledger": .bool(presence.hasLedger),
      "intact": .bool(presence.isIntact),
      "batches": .array(
        presence.batches.map { ["digest": JSON($0.digest), "carried_by": identifiers($0.carriers)] }),
      "facts": .array(
        presence.facts.map { ["fact": JSON($0.fact.identifier), "carried_by": identifiers($0.carriers)] }),
      "tensors": .array(
        presence.tensors.map { name, state in
          var object = JSONObject()
          object["tensor"] = .string(name)
          object["state"] = JSON(self.name(state))
          if case .other(let projection?) = state {
            object["share"] = JSON(projection.share)
            object["distance"] = JSON(projection.distance)
          }
          if case .retyped(let found, let expected, let isBase) = state {
            object["dtype"] = JSON(found.rawValue)
            object["expected_dtype"] = JSON(expected.rawValue)
            object["only_dtype_differs"] = .bool(isBase)
          }
          return .object(object)
        }),
    ]
  }

  private func identifiers(_ entries: [Ledger.Entry]) -> JSON {
    .array(entries.map { JSON($0.patch) })
  }

  private func name(_ state: PatchPresence.TensorState) -> String {
    switch state {
    case .asRecorded: "as_recorded"
    case .changedSinceApply: "changed_since_apply"
    case .base: "base"
    case .result: "result"
    case .missing: "missing"
    case .reshaped: "reshaped"
    case .retyped: "retyped"
    case .other: "other"
    }
  }
}
