import Tensors

extension HostilePatches {
  /// Small files that are in order and say many zeros: what can be computed of them takes long, or much memory.
  static func costs() -> [HostileFile] {
    [(128, 12_000, 512), (128, 50_000, 512), (2000, 2000, 2000), (4000, 4000, 4000), (30_000_000, 1, 30_000_000)].map {
      outputs, terms, inputs in
      HostileFile(
        name: "zeros, \(outputs) x \(terms) and \(terms) x \(inputs)", bytes: zeros(outputs, terms, inputs),
        mustFail: false)
    }
  }

  /// A patch of one batch whose factors are zeros of eight bits.
  private static func zeros(_ outputs: Int, _ terms: Int, _ inputs: Int) -> [UInt8] {
    let tensors: [(name: String, shape: [Int])] = [("left", [outputs, terms]), ("right", [terms, inputs])]
    var hasher = DigestHasher()
    var frames: [[UInt8]] = []
    var header = JSONObject()
    var end = 0
    for (name, shape) in tensors {
      let bytes = [UInt8](repeating: 0, count: shape[0] * shape[1])
      hasher.update(Array("w/\(name) I8 [\(shape[0]), \(shape[1])]\n".utf8))
      hasher.update(bytes)
      frames += stride(from: 0, to: bytes.count, by: 4 << 20).map {
        frame(Array(bytes[$0..<min($0 + 4 << 20, bytes.count)]))
      }
      header[ByteString("0/w/" + name)] = [
        "dtype": "I8", "shape": .array(shape.map { .integer($0) }),
        "data_offsets": [.integer(end), .integer(end + bytes.count)],
      ]
      end += bytes.count
    }
    let manifest: JSON = [
      "format": 1, "created": "2026-01-31T12:00:00Z", "tool": ["name": "x", "version": "0"],
      "base": [
        "tensors": [
          "w": [
            "dtype": "BF16", "shape": [.integer(outputs), .integer(inputs)],
            "sha256": JSON(String(repeating: "0", count: 64)),
          ]
        ]
      ],
      "batches": [
        [
          "digest": JSON(hasher.finalize().description), "terms": "components", "method": ["name": "x", "lambda": 0],
          "facts": [],
        ]
      ],
    ]
    header["__metadata__"] = ["wpatch": .string(ByteString(manifest.serialized()))]
    var text = JSON.object(header).serialized()
    text += Array(repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
    return sealed(frame(lengthField(text.count) + text) + frames.joined())
  }
}
