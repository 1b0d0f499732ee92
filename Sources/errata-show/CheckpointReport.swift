import CheckpointLedger
import Tensors
import ToolSupport
import WeightPatch

/// What `errata show` knows about a checkpoint: what its ledger and the patches in it say. Tensors are not read.
struct CheckpointReport: Answer {
  let kind = "show.checkpoint"

  let path: String
  let ledger: Ledger
  private let patches: [PatchFile]
  /// Per patch; not checked: for that it takes keys.
  private let signatures: [[PatchSignature]]

  init(_ state: CheckpointState) {
    path = state.checkpoint.path
    ledger = state.ledger
    patches = state.patches
    signatures = state.patches.map { PatchSignature.read($0) }
  }

  /// The patches with what the ledger says of them, in the order in which they were applied.
  var applied: [(entry: Ledger.Entry, patch: PatchFile)] { Array(zip(ledger.patches, patches)) }

  /// The facts of all patches; what two patches carry comes twice.
  var facts: [ListedFact] {
    applied.flatMap { ListedFact.all(in: $0.patch.manifest, patch: $0.entry.patch, name: $0.entry.name) }
  }

  /// The patches that edit a tensor.
  private func patches(editing tensor: ByteString) -> [Digest] {
    patches.filter { $0.manifest.base.tensors[tensor] != nil }.map(\.identifier)
  }
}

// MARK: - For people

extension CheckpointReport {
  /// The report, one element a line.
  var lines: [String] {
    guard !applied.isEmpty else {
      return [
        "\(path): no ledger, so no patch is recorded; the weights were compared with nothing"
      ]
    }
    let facts = facts
    return ["checkpoint  \(printable(path))", ""] + patchTable
      + (facts.isEmpty ? [] : [""] + ListedFact.table(facts, isElided: true)) + [""] + tensorTable
  }

  private var patchTable: [String] {
    var table = TextTable([
      ("patch", .left), ("name", .left), ("applied", .left), ("edits", .left), ("author", .left),
    ])
    for (entry, patch) in applied {
      table.append([
        entry.patch.abbreviated, printable(entry.name), printable(entry.applied), patch.extent,
        printable(patch.manifest.author ?? "-"),
      ])
    }
    let signed = zip(applied, signatures).flatMap { patch, signatures in
      signatures.map { printable("\(patch.entry.patch.abbreviated): signature \($0.frame): \($0)") }
    }
    return table.lines + (signed.isEmpty ? [] : [""] + signed)
  }

  private var tensorTable: [String] {
    var table = TextTable([("tensor", .left), ("base", .left), ("current", .left), ("patches", .left)])
    for (name, state) in ledger.tensors.sorted(by: { $0.key < $1.key }) {
      table.append([
        printable(name.description), state.base.abbreviated, state.current.abbreviated,
        patches(editing: name).map(\.abbreviated).joined(separator: ", "),
      ])
    }
    return table.lines
  }
}

// MARK: - For programs

extension CheckpointReport {
  /// The answer of `--json`.
  var json: JSON {
    [
      "checkpoint": JSON(path), "has_ledger": .bool(!applied.isEmpty),
      "patches": .array(
        zip(applied, signatures).map { applied, signatures in
          let (entry, patch) = applied
          return [
            "patch": JSON(entry.patch), "patch_name": JSON(entry.name), "applied": JSON(entry.applied),
            "extent": JSON(patch.extent), "manifest": patch.manifest.json,
            "signatures": .array(signatures.map(\.json)),
          ]
        }), "facts": .array(facts.map(\.json)),
      "tensors": .array(
        ledger.tensors.sorted { $0.key < $1.key }.map { name, state in
          [
            "tensor": .string(name), "base": JSON(state.base), "current": JSON(state.current),
            "patches": .array(patches(editing: name).map { JSON($0) }),
          ]
        }),
    ]
  }
}
