// swift-tools-version: 6.1

import PackageDescription

let errata: Target.Dependency = .product(name: "Errata", package: "errata")

let package = Package(
  name: "errata-examples",
  dependencies: [.package(name: "errata", path: "..")],
  targets: [
    .executableTarget(name: "apply-patch", dependencies: [errata]),
    .executableTarget(name: "compute-edit", dependencies: [errata]),
  ],
  swiftLanguageModes: [.v6]
)
