"""The nano corpus: packages to fetch, clips to cut or synthesise, and the manifests that list them."""
