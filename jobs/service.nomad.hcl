# Any Hono service, the gateway included: the job is named by `name`. Runs `node main.js` from a content-addressed bundle
# that Nomad fetches from the artifact store and checks, for every allocation.
# Data: none, as state is in the data tier; a service that stands for another company keeps its own in data_dir.
# Secrets: every item of the Nomad Variable nomad/jobs/<name>, if there is one, becomes an environment variable.

variable "datacenter" {
  type        = string
  description = "Nomad datacenter of the stack."
}

variable "driver" {
  type        = string
  default     = "raw_exec"
  description = "Nomad task driver. Attributes of other drivers go into `config` as null where they do not apply."
  validation {
    condition     = var.driver == "raw_exec"
    error_message = "Only the embedded substrate (driver raw_exec) exists so far."
  }
}

variable "setpriv" {
  type        = string
  default     = "/usr/bin/setpriv"
  description = "Absolute path of setpriv: it makes the kernel end a task whose executor has died."
}

variable "name" {
  type        = string
  description = "Name of the service: of the job, and in Consul."
}

variable "description" {
  type        = string
  default     = ""
  description = "What the service does, for the Nomad UI."
}

variable "ui_url" {
  type        = string
  default     = ""
  description = "A page of the service for the Nomad UI, empty for none."
}

variable "node" {
  type        = string
  description = "Absolute path of node."
}

variable "archive_url" {
  type        = string
  description = "URL of the service's bundle."
}

variable "digest" {
  type        = string
  description = "SHA-256 of that bundle in hexadecimal."
}

variable "environment" {
  type        = string
  default     = "{}"
  description = "Plain environment variables: a JSON object of strings."
}

variable "count" {
  type        = number
  default     = 1
  description = "Number of instances."
}

variable "port" {
  type        = number
  default     = 0
  description = "Port of HTTP, 0 for one from Nomad's dynamic range."
}

variable "more_ports" {
  type        = string
  default     = "{}"
  description = "Ports besides that of HTTP: a JSON object of fixed ports by name."
}

variable "shared_port" {
  type        = number
  default     = 0
  description = "Port that all instances listen on together (SO_REUSEPORT), besides that of HTTP; 0 for none."
}

variable "weight" {
  type        = number
  default     = 1
  description = "Share of the requests that an instance gets where they are balanced by weight, in proportion to the others'."
  validation {
    condition     = var.weight >= 1
    error_message = "An instance has a weight of at least 1."
  }
}

variable "data_dir" {
  type        = string
  default     = ""
  description = "Absolute path of a data folder of the service's own, DATA_DIR in its environment; empty for none."
}

variable "cpu" {
  type        = number
  default     = 100
  description = "CPU reservation in MHz, the share under contention."
}

variable "memory" {
  type        = number
  default     = 96
  description = "Memory in MiB that is reserved."
}

variable "memory_max" {
  type        = number
  default     = 320
  description = "Memory in MiB: the limit, where Nomad may use cgroups (agent run by root)."
}

job "service" {
  id          = var.name
  name        = var.name
  type        = "service"
  datacenters = [var.datacenter]

  ui {
    description = var.description
    dynamic "link" {
      for_each = var.ui_url == "" ? [] : [var.ui_url]
      content {
        label = var.name
        url   = link.value
      }
    }
  }

  update {
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "0s"
    healthy_deadline  = "5m"
    progress_deadline = "6m"
    auto_revert       = true

    # The old instance stays until a new one is healthy. Not with a fixed port of one's own, which two can't have at once.
    canary       = var.port == 0 ? min(var.count, 1) : 0
    auto_promote = var.port == 0 && var.count > 0
  }

  # For failures outside a task (a hook of the allocation): tasks themselves restart in place, see `restart`.
  reschedule {
    delay          = "5s"
    delay_function = "constant"
    unlimited      = true
  }

  group "service" {
    count = var.count

    # Out of Consul first, so that no new request comes while the last ones are answered.
    shutdown_delay = "1s"

    network {
      port "http" {
        static = var.port
      }
      dynamic "port" {
        for_each = jsondecode(var.more_ports)
        labels   = [port.key]
        content {
          static = port.value
        }
      }
      dynamic "port" {
        for_each = var.shared_port == 0 ? [] : [var.shared_port]
        labels   = ["shared"]
        content {
          static           = port.value
          ignore_collision = true
        }
      }
    }

    service {
      name = var.name
      port = "http"
      tags = ["http"]

      meta {
        digest = var.digest
        weight = var.weight
      }

      # Whether the process lives. Begins as passing, because readiness is what callers wait for.
      check {
        name           = "${var.name} lives"
        type           = "http"
        path           = "/livez"
        interval       = "5s"
        timeout        = "3s"
        initial_status = "passing"
        check_restart {
          limit = 3
          grace = "30s"
        }
      }

      # Whether its backends answer: a database that is away makes a service unready, not dead, so no check_restart.
      check {
        name     = "${var.name} is ready"
        type     = "http"
        path     = "/readyz"
        interval = "2s"
        timeout  = "3s"
      }
    }

    # Never gives up: after the attempts it waits for the next interval, which is short for that reason.
    restart {
      attempts = 5
      interval = "15s"
      delay    = "1s"
      mode     = "delay"
    }

    ephemeral_disk {
      size = 50
    }

    task "service" {
      driver       = var.driver
      kill_signal  = "SIGTERM"
      kill_timeout = "15s"

      artifact {
        source      = var.archive_url
        destination = "local"
        options {
          checksum = "sha256:${var.digest}"
        }
      }

      config {
        command = var.setpriv
        args    = ["--pdeathsig", "KILL", "--", var.node, "--enable-source-maps", "local/main.js"]
      }

      env = merge(jsondecode(var.environment), var.data_dir == "" ? {} : { DATA_DIR = var.data_dir }, {
        HOST        = "127.0.0.1"
        PORT        = "${NOMAD_PORT_http}"
        INSTANCE_ID = "${NOMAD_ALLOC_ID}"
      })

      template {
        destination = "secrets/service.env"
        perms       = "0600"
        env         = true
        change_mode = "restart"
        data        = <<-EOT
          {{ if nomadVarExists "nomad/jobs/${var.name}" }}{{ with nomadVar "nomad/jobs/${var.name}" }}
          {{- range .Tuples }}
          {{ .K }}={{ .V | toJSON }}
          {{- end }}
          {{ end }}{{ end }}
        EOT
      }

      logs {
        max_files     = 3
        max_file_size = 5
      }

      resources {
        cpu        = var.cpu
        memory     = var.memory
        memory_max = var.memory_max
      }
    }
  }
}
