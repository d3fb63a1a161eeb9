"""What tested runs say: verdicts, the report's page and figures, the ledger of claims."""
