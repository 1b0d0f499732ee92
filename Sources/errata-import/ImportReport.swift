import Adapters
import Tensors
import ToolSupport
import WeightPatch

/// What `errata import` says when it is done.
struct ImportReport: Answer {
  let kind = "import"

  let imported: ImportedAdapter
  let patch: Patch
  let path: String

  var lines: [String] {
    var table = TextTable([
      ("tensor", .left), ("terms", .right), ("scale", .right), ("stored A B", .left), ("lost of D", .right),
    ])
    for module in imported.modules {
      table.append([
        printable(module.tensor.description), "\(module.rank)", formatNumber(module.scale), module.storage,
        formatShare(module.error, digits: 2),
      ])
    }
    return table.lines + [
      "\(path): patch \(patch.identifier.abbreviated), \(patch.extent), \(formatBytes(patch.writtenByteCount!))"
    ]
  }

  var json: JSON {
    [
      "output": JSON(path), "patch": JSON(patch.identifier.description), "bytes": .integer(patch.writtenByteCount!),
      "tensors": .array(
        imported.modules.map { module in
          [
            "tensor": .string(module.tensor), "terms": .integer(module.rank), "scale": .double(module.scale),
            "storage": JSON(module.storage), "delta_error": .double(module.error),
          ]
        }),
    ]
  }
}
