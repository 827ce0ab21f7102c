"""DeepL's wire: its parameters, codes and bodies. Its routes are in `service.routes.deepl`."""
