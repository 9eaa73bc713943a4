"""What tests are made with: schemas from proto text, recording backends, processes, certificates, tokens."""
