// swift-tools-version: 6.1

// Arrows only point up this list: a module imports only modules above it. `WeightPatch` cannot reach BLAS,
// so that the bytes an apply writes do not depend on a BLAS library is a fact of the graph.

import PackageDescription

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "errata",
  products: [
    .library(name: "Errata", type: .static, targets: ["Errata"]),
    .executable(name: "errata", targets: ["errata"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.0.0"),
  ],
  targets: [
    .target(name: "CKernels"),
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(name: "Tensors", dependencies: ["CKernels", .product(name: "Crypto", package: "swift-crypto")]),
    .target(name: "LinearAlgebra", dependencies: ["Tensors", "COpenBLAS"]),
    .target(name: "Safetensors", dependencies: ["Tensors"]),
    .target(
      name: "WeightPatch",
      dependencies: ["Safetensors", "CZstd", "CKernels", .product(name: "Crypto", package: "swift-crypto")]),
    .target(name: "CheckpointLedger", dependencies: ["WeightPatch"]),
    .target(name: "NumpyArchive", dependencies: ["Tensors", "CZlib"]),
    .target(name: "SecondMomentStatistics", dependencies: ["Safetensors", "LinearAlgebra", "NumpyArchive"]),
    .target(name: "PatchAlgebra", dependencies: ["CheckpointLedger", "SecondMomentStatistics"]),
    .target(name: "Tokenization", dependencies: ["Tensors", "CPCRE2"]),
    .target(name: "Facts", dependencies: ["CheckpointLedger", "Tokenization"]),
    .target(name: "Transformer", dependencies: ["Safetensors", "LinearAlgebra", "CKernels"]),
    .target(name: "Adapters", dependencies: ["PatchAlgebra", "NumpyArchive", "Transformer"]),
    .target(name: "KnowledgeEditing", dependencies: ["Transformer", "Facts", "PatchAlgebra"]),
    .target(name: "EditEvaluation", dependencies: ["KnowledgeEditing"]),
    .target(name: "Errata", dependencies: ["EditEvaluation"]),
    .target(name: "CToolSupport"),
    .target(name: "ToolSupport", dependencies: ["WeightPatch", "CToolSupport", argumentParser]),
    .target(name: "FactReporting", dependencies: ["EditEvaluation", "ToolSupport"]),

    .executableTarget(name: "errata", dependencies: ["Tensors", "ToolSupport"]),
    .executableTarget(name: "errata-apply", dependencies: ["CheckpointLedger", "ToolSupport"]),
    .executableTarget(name: "errata-revert", dependencies: ["PatchAlgebra", "ToolSupport"]),
    .executableTarget(name: "errata-show", dependencies: ["CheckpointLedger", "ToolSupport"]),
    .executableTarget(name: "errata-resolve", dependencies: ["PatchAlgebra", "ToolSupport"]),
    .executableTarget(name: "errata-drop", dependencies: ["PatchAlgebra", "ToolSupport"]),
    .executableTarget(name: "errata-compact", dependencies: ["PatchAlgebra", "ToolSupport"]),
    .executableTarget(name: "errata-stack", dependencies: ["PatchAlgebra", "ToolSupport"]),
    .executableTarget(name: "errata-verify", dependencies: ["CheckpointLedger", "ToolSupport"]),
    .executableTarget(name: "errata-keygen", dependencies: ["WeightPatch", "ToolSupport"]),
    .executableTarget(name: "errata-sign", dependencies: ["CheckpointLedger", "ToolSupport"]),
    .executableTarget(name: "errata-diff", dependencies: ["PatchAlgebra", "ToolSupport"]),
    .executableTarget(name: "errata-stats", dependencies: ["KnowledgeEditing", "ToolSupport"]),
    .executableTarget(name: "errata-facts", dependencies: ["FactReporting"]),
    .executableTarget(name: "errata-edit", dependencies: ["FactReporting"]),
    .executableTarget(name: "errata-tune", dependencies: ["EditEvaluation", "ToolSupport"]),
    .executableTarget(name: "errata-ask", dependencies: ["Adapters", "KnowledgeEditing", "ToolSupport"]),
    .executableTarget(name: "errata-trace", dependencies: ["Adapters", "KnowledgeEditing", "ToolSupport"]),
    .executableTarget(name: "errata-eval", dependencies: ["Adapters", "FactReporting"]),
    .executableTarget(name: "errata-export", dependencies: ["Adapters", "KnowledgeEditing", "ToolSupport"]),
    .executableTarget(name: "errata-import", dependencies: ["Adapters", "ToolSupport"]),

    // What the benchmarks work on; no tool.
    .executableTarget(
      name: "synthetic-checkpoint", dependencies: ["WeightPatch", "ToolSupport", "TestSupport"],
      path: "Tests/Benchmarks/SyntheticCheckpoint"),
    .executableTarget(
      name: "benchmark-parts", dependencies: ["EditEvaluation", "ToolSupport", "TestSupport"],
      path: "Tests/Benchmarks/Parts"),

    .target(name: "TestSupport", dependencies: ["Tensors"], path: "Tests/TestSupport"),
    .executableTarget(name: "fault-injector", path: "Tests/FaultInjector"),
    .executableTarget(
      name: "kernel-vectors", dependencies: ["CKernels"], path: "Tests/KernelVectors",
      linkerSettings: [.linkedLibrary("m")]),
    .testTarget(
      name: "TensorsTests",
      dependencies: ["Tensors", "CKernels", "TestSupport", .product(name: "Crypto", package: "swift-crypto")]),
    .testTarget(name: "LinearAlgebraTests", dependencies: ["LinearAlgebra", "TestSupport"]),
    .testTarget(name: "NumpyArchiveTests", dependencies: ["NumpyArchive", "SecondMomentStatistics", "TestSupport"]),
    .testTarget(name: "SafetensorsTests", dependencies: ["Safetensors", "TestSupport"]),
    .testTarget(name: "WeightPatchTests", dependencies: ["WeightPatch", "CheckpointLedger", "TestSupport"]),
    .testTarget(name: "PatchAlgebraTests", dependencies: ["PatchAlgebra", "TestSupport"]),
    .testTarget(
      name: "TokenizationTests", dependencies: ["Tokenization", "Tensors", "CZstd"],
      exclude: ["Fixtures", "witness.py", "synthetic_tokenizers.py", "published_tokenizers.py"]),
    .testTarget(name: "ShowTests", dependencies: ["errata-show", "TestSupport"]),
    .testTarget(name: "VerifyTests", dependencies: ["errata-verify", "TestSupport"]),
    .testTarget(name: "TransformerTests", dependencies: ["Transformer", "TestSupport"]),
    .testTarget(name: "AdaptersTests", dependencies: ["Adapters", "TestSupport"]),
    .testTarget(name: "KnowledgeEditingTests", dependencies: ["KnowledgeEditing", "TestSupport"]),
    .testTarget(name: "EditEvaluationTests", dependencies: ["EditEvaluation", "TestSupport"]),
    .testTarget(name: "ToolSupportTests", dependencies: ["ToolSupport", "TestSupport"]),
    // The executables are named so that they are built: these tests run them.
    .testTarget(
      name: "ToolTests",
      dependencies: [
        "Errata",
        "Safetensors",
        "SecondMomentStatistics",
        "Tensors",
        "TestSupport",
        "ToolSupport",
        "WeightPatch",
        "errata",
        "errata-edit",
        "errata-facts",
        "errata-stats",
        "errata-ask",
        "errata-eval",
        "errata-apply",
        "errata-revert",
        "errata-show",
        "errata-verify",
        "errata-resolve",
        "errata-drop",
        "errata-keygen",
        "errata-sign",
        "errata-tune",
        "errata-compact",
        "errata-stack",
        "errata-diff",
        "errata-trace",
        "errata-export",
        "errata-import",
        "fault-injector",
        "kernel-vectors",
      ]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c11
)
